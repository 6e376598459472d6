"""A CosyVoice 3 folder from its import to speech: random weights at toy size, the real chain."""

import hashlib
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from cosyvoice3_shapes import FULL, TOY, flow_shapes, hift_shapes, llm_shapes
from cosyvoice_folder import GUARD, PROMPT_WORDS, set_guard, write_prompt
from exit_code import ended
from reference3 import tensors_of, values_of
from write_cosyvoice2_folder import write_folder as write_folder2
from write_cosyvoice3_folder import write_folder

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")
pytest.importorskip("wetext")
import mamtra
from mamtra.audio.log_mel import MelConfig, log_mel
from mamtra.backbone import Layout
from mamtra.checkpoints.format import ModelFolder
from mamtra.errors import CheckpointError, ModelError
from mamtra.interop.cosyvoice_release import RELEASE2, RELEASE3
from mamtra.interop.import_cosyvoice import import_cosyvoice
from mamtra.interop.onnx.export import OnnxExport, export_onnx
from mamtra.runtime.choose import open_model
from mamtra.runtime.request import EngineRequest
from mamtra.sizing.plan import plan
from mamtra.sizing.sizes import model_sizes
from mamtra.synthesis.acoustics import chunked_sound
from mamtra.synthesis.conditioning import conditioning_of
from mamtra.synthesis.options import SpeakOptions
from mamtra.synthesis.synthesizer import Synthesizer
from mamtra.text.bpe import added_tokens3
from mamtra.transfer.convert import convert

MARK = "<|endofprompt|>"
# of names and shapes in the published checkpoints, as the reference case "inventory" lists them
INVENTORY = {"llm": "9f13b918b3bdb34d", "flow": "8bdd8cccba13db95", "hift": "c623e4b6c92ae1db"}
SHAPES = {"llm": llm_shapes, "flow": flow_shapes, "hift": hift_shapes}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The imported folder ``toy``, its half-Mamba student, and a voice made for both."""
    folder = tmp_path_factory.mktemp("cosyvoice3")
    write_folder(folder / "published", TOY, reinforced=True)
    assert (
        ended(["import", "cosyvoice3", str(folder / "published"), "-o", str(folder / "toy")]) == 0
    )
    set_guard(folder / "toy", GUARD | {"silent_ids": [1, 2], "sounded_silence": 5})
    convert(ModelFolder(folder / "toy"), folder / "student", Layout.repeat(1, 1, 4))
    made = ["voice", "make", str(write_prompt(folder / "prompt.wav")), "--model"]
    told = ["--text", PROMPT_WORDS, "--licence", "CC0-1.0", "--consent", "a buzz agrees"]
    voice = folder / "buzz.safetensors"
    assert ended([*made, str(folder / "toy"), *told, "-o", str(voice)]) == 0
    return folder


@pytest.fixture(scope="module")
def student(models: Path) -> Synthesizer:
    return mamtra.load(models / "student")


def test_full_size_has_the_published_names_and_shapes() -> None:
    for name, digest in INVENTORY.items():
        shapes = SHAPES[name](FULL)
        text = json.dumps(sorted((entry, list(shape)) for entry, shape in shapes.items()))
        assert hashlib.sha256(text.encode()).hexdigest().startswith(digest), name
    weights = sum(math.prod(shape) for shape in flow_shapes(FULL).values())
    assert weights == 332_257_088 + 32


def test_the_added_tokens_have_the_published_order() -> None:
    ids = values_of("special_tokens")["ids"]
    assert list(added_tokens3()) == sorted(ids, key=ids.get)


def test_mel_features_of_a_prompt_reach_the_highest_frequency() -> None:
    case = tensors_of("features")
    found = log_mel(case["wave"][0].numpy(), MelConfig(fmax_hz=RELEASE3.fmax_hz))
    np.testing.assert_allclose(found, case["mel"][0].numpy(), atol=1e-4)


def test_a_card_and_a_config_tell_what_was_imported(models: Path) -> None:
    folder = ModelFolder(models / "toy")
    assert folder.section("mel", MelConfig).fmax_hz == 12_000
    card = (models / "toy" / "README.md").read_text()
    assert "Fun-CosyVoice3-0.5B-2512" in card
    assert "rotary_embed.inv_freq" in card


def test_the_reinforced_language_model_is_another(models: Path, tmp_path: Path) -> None:
    source, target = models / "published", tmp_path / "rl"
    assert ended(["import", "cosyvoice3", str(source), "-o", str(target), "--rl"]) == 0
    files = [folder / "speech_lm.safetensors" for folder in (models / "toy", target)]
    assert files[0].read_bytes() != files[1].read_bytes()
    (source / "llm.rl.pt").rename(tmp_path / "moved.pt")
    try:
        with pytest.raises(ModelError, match=r"no llm\.rl\.pt"):
            import_cosyvoice(RELEASE3, source, tmp_path / "again", reinforced=True)
    finally:
        (tmp_path / "moved.pt").rename(source / "llm.rl.pt")


def test_files_of_two_versions_refuse_each_other(models: Path, tmp_path: Path) -> None:
    from cosyvoice2_shapes import TOY as TOY2

    older = write_folder2(tmp_path / "published2", TOY2)
    with pytest.raises(CheckpointError, match="is CosyVoice 3's, not 2's"):
        import_cosyvoice(RELEASE2, models / "published", tmp_path / "two")
    with pytest.raises(CheckpointError, match="is CosyVoice 2's, not 3's"):
        import_cosyvoice(RELEASE3, older, tmp_path / "three")
    for name in ("llm.pt", "flow.pt"):
        (older / name).write_bytes((models / "published" / name).read_bytes())
    with pytest.raises(CheckpointError, match=r"hift\.pt is CosyVoice 2's"):
        import_cosyvoice(RELEASE3, older, tmp_path / "three")


def test_the_language_model_reads_the_opening_once(student: Synthesizer, models: Path) -> None:
    reader, voice = student.reader, student.voice(models / "buzz.safetensors")
    opening = (*reader.tokenizer.encode("You are a helpful assistant."), reader.end_of_prompt)
    assert reader.lead == opening

    def read(options: SpeakOptions, text: str = "Hi.") -> list[int]:
        found = conditioning_of(reader, voice, options, model="student", reads_prompts=True)
        return list(found.request(reader.encode(text), 0).segments[1].ids)

    hello, words = reader.encode("Hi."), reader.encode(reader.whole(PROMPT_WORDS))
    assert read(SpeakOptions(mode="cross-lingual")) == [*opening, *hello]
    assert read(SpeakOptions(mode="zero-shot")) == [*opening, *words, *hello]
    told = reader.encode("You are a helpful assistant. Speak low.")
    assert read(SpeakOptions(instruct="Speak low.")) == [*told, reader.end_of_prompt, *hello]
    own = f"Be brief.{MARK}Hi."
    assert read(SpeakOptions(mode="cross-lingual"), own) == reader.encode(own)


def test_the_student_speaks_and_streams(student: Synthesizer, models: Path) -> None:
    voice = models / "buzz.safetensors"
    for how in ({"mode": "zero-shot"}, {"mode": "cross-lingual"}, {"instruct": "Speak low."}):
        speech = student.say("It costs $3.50.", voice, seed=1, **how)
        assert len(speech.samples) == len(speech.speech_tokens) * 960 > 0
        assert np.isfinite(speech.samples).all()
    pieces = list(student.stream("Hello there.", voice, seed=1))
    spoken = pieces[-2].spoken if pieces[-1].spoken is None else pieces[-1].spoken
    assert spoken is not None
    assert sum(len(piece.samples) for piece in pieces) > 0
    arriving = list(
        student.stream(iter(["Hello ", "there, how are you ", "today?"]), voice, seed=1)
    )
    assert sum(len(piece.samples) for piece in arriving) > 0


def test_graphs_speak_as_the_modules_do(models: Path, tmp_path: Path) -> None:
    export_onnx(ModelFolder(models / "student"), OnnxExport(), tmp_path / "graphs")
    folder = ModelFolder(tmp_path / "graphs")
    graphs = open_model(folder, EngineRequest(engine="onnx", flow_dtype="float32"))
    modules = open_model(folder, EngineRequest(engine="torch", dtype="float32"))
    assert graphs.speech_model.vocabulary == modules.speech_model.vocabulary
    assert graphs.vocoder.sizes == modules.vocoder.sizes
    voice = mamtra.load(models / "student").voice(models / "buzz.safetensors").prompt
    noise = np.random.default_rng(0).standard_normal((80, 400), dtype=np.float32)
    tokens = [(7 * index) % 27 for index in range(61)]
    for chunked, final in ((False, True), (True, True), (True, False)):
        how = {"chunked": chunked, "final": final}
        mels = [part.decoder.decode(tokens, voice, noise, **how) for part in (graphs, modules)]
        np.testing.assert_allclose(*mels, atol=1e-4, rtol=1e-4)
    uniform = np.random.default_rng(1).random((9, mels[1].shape[1] * 480), dtype=np.float32)
    samples = [part.vocoder.speak(mels[1], uniform) for part in (graphs, modules)]
    assert np.linalg.norm(samples[0] - samples[1]) < 1e-3 * np.linalg.norm(samples[1])
    for part in (graphs, modules):
        state, said = part.vocoder.new_state(), []
        for start in range(0, mels[1].shape[1], 29):
            mel, end = mels[1][:, start : start + 29], start + 29 >= mels[1].shape[1]
            own = uniform[:, start * 480 : (start + 29) * 480]
            said.append(part.vocoder.speak_chunk(mel, own, state, last=end))
        assert len(said[0]) == (29 - 8) * 480
        whole = part.vocoder.speak(mels[1], uniform)
        assert np.linalg.norm(np.concatenate(said) - whole) < 1e-3 * np.linalg.norm(whole)


def test_a_stream_says_what_one_chunked_pass_says(student: Synthesizer, models: Path) -> None:
    voice = student.voice(models / "buzz.safetensors")
    pieces = list(student.stream("Hello there.", voice, seed=3))
    said = next(piece.spoken for piece in pieces if piece.spoken is not None)
    samples = np.concatenate([piece.samples for piece in pieces])
    whole = chunked_sound(student.model, said.speech_tokens, voice.prompt, 3)
    assert np.isfinite(samples).all()
    assert len(samples) >= len(whole) - 2 * 480


def test_a_plan_counts_the_transformer(models: Path) -> None:
    planned = plan(model_sizes(str(models / "student")), 10.0, 1, "float32")
    stored = (models / "toy" / "decoder.safetensors").stat().st_size
    assert planned.weights["decoder"] == pytest.approx(stored, rel=0.1)


def test_a_hybrid_is_distilled_and_speaks(models: Path, tmp_path: Path) -> None:
    from mamtra.distillation.data import UtterancesInMemory
    from mamtra.distillation.distill import distill
    from mamtra.distillation.settings import DistillRun, paper_settings

    drawn = np.random.default_rng(0)
    pairs = [
        (drawn.integers(0, 256, 4).tolist(), drawn.integers(0, 27, 24).tolist()) for _ in range(8)
    ]
    settings = replace(
        paper_settings(2), log_every=1, evaluate_every=2, learning_rate=1e-3, precision="float32"
    )
    run = DistillRun(settings=settings, tokens=100, held_out=2)
    teacher, own = ModelFolder(models / "toy"), ModelFolder(models / "student")
    data = UtterancesInMemory(pairs, lead=(8, 9))
    distill(tmp_path / "run", teacher, own, data, run)
    rows = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert all(np.isfinite(row["loss"]) for row in rows if "loss" in row)
    finished = ModelFolder(tmp_path / "run" / "student")
    assert finished.config.speech_lm == own.config.speech_lm
    speech = mamtra.load(finished.folder).say("Hi.", models / "buzz.safetensors", seed=1)
    assert len(speech.samples) > 0


def test_a_stream_that_remembers_says_what_one_chunked_pass_says(models: Path) -> None:
    synthesizer = mamtra.load(models / "student", engine="torch", flow_context=300)
    voice = synthesizer.voice(models / "buzz.safetensors")
    pieces = list(synthesizer.stream("Hello there.", voice, seed=3))
    said = next(piece.spoken for piece in pieces if piece.spoken is not None)
    again = mamtra.load(models / "student", engine="torch")
    other = list(again.stream("Hello there.", voice, seed=3))
    lengths = [sum(len(piece.samples) for piece in whole) for whole in (pieces, other)]
    assert lengths[0] == lengths[1] > 0
    assert said.speech_tokens == next(p.spoken for p in other if p.spoken is not None).speech_tokens


def test_a_hybrid_learns_with_the_opening_before_each_text(models: Path) -> None:
    from mamtra.distillation.data import DistillBatches, UtterancesInMemory
    from mamtra.speech_lm import SpeechLMConfig

    config = ModelFolder(models / "student").section("speech_lm", SpeechLMConfig)
    utterances = UtterancesInMemory([([1, 2, 3], [4] * 20), ([5, 6], [7] * 12)], lead=(8, 9))
    batches = DistillBatches(utterances, config, tokens=200)
    for draw in (0.1, 0.9):
        layout = batches.sequence(0, draw)
        assert [token for segment in layout.segments for token in segment.ids][1:3] == [8, 9]
    assert batches.at(0).lengths.max() <= 200
    assert torch.isfinite(torch.tensor(float(batches.total)))
