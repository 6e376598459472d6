"""Chatterbox at toy size, whole: imported, opened, spoken and streamed."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from cosyvoice_folder import write_prompt
from exit_code import ended
from reference_chatterbox import REFERENCE, s3gen_entries, write_folder
from safetensors.torch import save_file
from toy_flow import TOY_HEAD_DIM

import mamtra
from mamtra.acoustic.config import VocoderConfig
from mamtra.acoustic.decoder_config import DecoderConfig
from mamtra.checkpoints.format import ModelFolder
from mamtra.errors import CheckpointError, ConfigError, ModelError, VoiceError
from mamtra.interop.import_chatterbox import import_chatterbox
from mamtra.interop.import_cosyvoice import Import
from mamtra.text.chatterbox import punctuated
from mamtra.voice.voice import Voice

pytest.importorskip("tokenizers")
# random weights never stop: short speech, one attempt
GUARD = {"min_per_text_token": 1.0, "max_per_text_token": 1.5, "spare_tokens": 2, "attempts": 1}


def imported_from(source: Path, target: Path) -> Import:
    """The import at the sizes of the toy."""
    return import_chatterbox(
        source,
        target,
        codes=REFERENCE.codes,
        head_dim=REFERENCE.head_dim,
        flow_head_dim=TOY_HEAD_DIM,
    )


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    place = tmp_path_factory.mktemp("chatterbox")
    source = write_folder(place / "published", "s3gen.safetensors")
    report = imported_from(source, place / "ours")
    config = place / "ours" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"guard": GUARD}))
    return place / "ours", report


@pytest.fixture(scope="module")
def synthesizer(imported):
    return mamtra.load(imported[0])


def test_decoder_and_vocoder_are_taken_over_and_the_rest_is_named(imported):
    folder, report = imported
    assert [part.part for part in report.parts] == ["speech_lm", "decoder", "vocoder"]
    entries = s3gen_entries()
    used = [sum(name.startswith(prefix) for name in entries) for prefix in ("flow.", "mel2wav.")]
    assert [part.used for part in report.parts[1:]] == used
    (told,) = report.warnings()
    assert "speaker_encoder.* (1 entries)" in told
    assert "tokenizer.* (2 entries)" in told
    model = ModelFolder(folder)
    assert model.section("decoder", DecoderConfig).fresh_noise
    assert model.section("vocoder", VocoderConfig).sampled_phases
    assert told in (folder / "README.md").read_text()


def test_a_mean_flow_is_taken_over_too(tmp_path):
    source = write_folder(tmp_path / "published", "s3gen_meanflow.safetensors")
    imported_from(source, tmp_path / "ours")
    config = ModelFolder(tmp_path / "ours").section("decoder", DecoderConfig)
    assert (config.mean_flow, config.steps, config.guidance) == (True, 2, 0.0)


def test_entries_that_are_not_known_end_the_import(tmp_path):
    source = write_folder(tmp_path / "published", "s3gen.safetensors")
    file = source / "s3gen.safetensors"
    save_file(s3gen_entries() | {"watermark.key": torch.zeros(1)}, file)
    with pytest.raises(CheckpointError, match=r"watermark\.key"):
        imported_from(source, tmp_path / "x")
    entries = s3gen_entries()
    del entries["mel2wav.conv_pre.bias"]
    save_file(entries, file)
    with pytest.raises(CheckpointError, match=r"missing: conv_in\.bias"):
        imported_from(source, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_the_text_of_a_multilingual_model_is_not_guessed(tmp_path):
    source = write_folder(tmp_path / "published", "s3gen.safetensors")
    (source / "t3_cfg.safetensors").rename(source / "t3_mtl23ls_v2.safetensors")
    report = imported_from(source, tmp_path / "ours")
    assert "reads no text" in report.warnings()[1]
    with pytest.raises(ModelError, match="lacks text"):
        mamtra.load(tmp_path / "ours")


def test_the_built_in_voice_is_a_voice_of_the_folder(imported):
    folder, report = imported
    assert "conds.pt as voices/built-in.safetensors" in report.copied
    voice = Voice.load(folder / "voices" / "built-in.safetensors")
    held = torch.load(folder.parent / "published" / "conds.pt", weights_only=True)
    assert voice.tokens.tolist() == held["gen"]["prompt_token"][0, :13].tolist()
    assert voice.mel.shape == (80, 26)
    assert voice.read is not None
    assert voice.read.prompt == tuple(held["t3"]["cond_prompt_speech_tokens"].flatten().tolist())
    assert voice.read.speaker == tuple(held["t3"]["speaker_emb"].flatten().tolist())
    assert voice.read.emotion == 0.5


def test_text_becomes_sound_that_follows_the_seed(synthesizer):
    assert synthesizer.voices == ["built-in"]
    speech = synthesizer.say("Hello.", seed=1)
    assert len(speech.samples) > 0.2 * speech.rate
    assert np.isfinite(speech.samples).all()
    assert np.array_equal(synthesizer.say("Hello.", seed=1).samples, speech.samples)
    assert not np.array_equal(synthesizer.say("Hello.", seed=2).samples, speech.samples)


def test_a_stream_says_what_the_whole_says(synthesizer):
    whole = synthesizer.say("Hello.", seed=1).samples
    streamed = np.concatenate([piece.samples for piece in synthesizer.stream("Hello.", seed=1)])
    assert streamed.shape == whole.shape
    assert np.abs(streamed - whole).max() < 1e-3 * np.abs(whole).max()


def test_the_command_speaks(imported, tmp_path):
    file = tmp_path / "hello.wav"
    ended(["say", "--model", str(imported[0]), "Hello.", "-o", str(file)])
    assert file.stat().st_size > 10_000


@pytest.fixture(scope="module")
def graphs(imported, tmp_path_factory):
    """A copy of the folder with its graphs, made by the command."""
    pytest.importorskip("onnx")
    folder = tmp_path_factory.mktemp("graphs") / "ours"
    shutil.copytree(imported[0], folder)
    ended(["export", str(folder), "--to", "onnx"])
    return folder


def test_graphs_say_what_the_modules_say(graphs, synthesizer):
    spoken = mamtra.load(graphs, flow_dtype="float32").say("Hello.", seed=1)
    expected = synthesizer.say("Hello.", seed=1)
    assert spoken.speech_tokens == expected.speech_tokens
    apart = np.linalg.norm(spoken.samples - expected.samples)
    assert apart < 1e-2 * np.linalg.norm(expected.samples)  # a last bit of pitch, counted up


def test_a_stream_of_graphs_says_what_the_whole_says(graphs):
    synthesizer = mamtra.load(graphs, engine="onnx", flow_dtype="float32")
    whole = synthesizer.say("Hello.", seed=1).samples
    streamed = np.concatenate([piece.samples for piece in synthesizer.stream("Hello.", seed=1)])
    assert streamed.shape == whole.shape
    assert np.abs(streamed - whole).max() < 1e-2 * np.abs(whole).max()


def test_graphs_speak_without_torch(graphs, tmp_path):
    script = f"""
import sys
sys.modules["torch"] = None
import mamtra
mamtra.load({str(graphs)!r}).say("Hello.").save({str(tmp_path / "hello.wav")!r})
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "hello.wav").stat().st_size > 10_000


def test_doctor_finds_graphs_and_modules_equal(graphs, capsys):
    ended(["doctor", "--model", str(graphs)])
    told = capsys.readouterr().out
    assert "all there" in told
    assert told.count(" apart") == 5


def test_a_copy_with_graphs_speaks_by_itself(imported, graphs, tmp_path):
    ended(["export", str(imported[0]), "--to", "onnx", "--bits", "8", "-o", str(tmp_path / "copy")])
    copied, beside = (mamtra.load(each, dtype="float32") for each in (tmp_path / "copy", graphs))
    assert copied.say("Hello.").speech_tokens == beside.say("Hello.").speech_tokens
    assert mamtra.load(tmp_path / "copy").say("Hello.").samples.any()  # in 8 bit


def test_every_graph_passes_the_checker(imported, tmp_path):
    onnx = pytest.importorskip("onnx")
    command = ["export", str(imported[0]), "--to", "onnx", "--standard"]
    ended([*command, "-o", str(tmp_path / "standard")])
    paths = sorted((tmp_path / "standard").glob("*.onnx"))
    assert len(paths) == 8
    for path in paths:
        onnx.checker.check_model(str(path), full_check=True)
        assert {node.domain for node in onnx.load(str(path)).graph.node} == {""}


def test_a_graph_of_the_voice_that_is_missing_is_told(graphs, tmp_path):
    folder = tmp_path / "ours"
    shutil.copytree(graphs, folder)
    (folder / "speech_lm.voice.onnx").unlink()
    with pytest.raises(ConfigError, match=r"has no speech_lm\.voice\.onnx, which mamtra export"):
        mamtra.load(folder, engine="onnx")


def test_what_it_cannot_do_is_one_sentence(imported, synthesizer, tmp_path, capsys):
    with pytest.raises(ModelError, match="cannot follow instructions"):
        synthesizer.say("Hello.", instruct="slowly")
    with pytest.raises(ModelError, match="not trained to go on from a prompt"):
        synthesizer.say("Hello.", mode="zero-shot")
    with pytest.raises(ConfigError, match="carry"):
        synthesizer.say("Hello.", state="carry")
    voice = synthesizer.voice()
    fields = {name: getattr(voice, name) for name in ("name", "speaker", "tokens", "mel")}
    with pytest.raises(VoiceError, match="no speaker vector of 256"):
        synthesizer.say("Hello.", voice=Voice(**fields))
    recording = write_prompt(tmp_path / "prompt.wav")
    command = ["voice", "make", str(recording), "--model", str(imported[0])]
    assert ended([*command, "-o", str(tmp_path / "v.safetensors")]) == ModelError.exit_code
    told = capsys.readouterr().err
    assert "no speech_tokenizer and no speaker, so it makes no voices" in told
    assert "(built-in)" in told


def test_text_is_read_as_the_model_has_learnt_it(synthesizer):
    # a mark that brings its blank leaves two, as in the original
    assert punctuated("wait…  “it” costs:two;fine") == 'Wait,  "it" costs,two, fine.'
    assert punctuated("really - yes!") == "Really, yes!"
    pieces = synthesizer.pieces("it costs $2. " * 30)
    assert len(pieces) > 1
    assert "two dollars" in pieces[0]
    ids = synthesizer.reader.encode("a b")
    assert len(ids) == 4  # A, blank, b, full stop
    assert ids[1] == 2
