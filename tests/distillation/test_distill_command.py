"""``mamtra distill`` on the toy workshop: a run, its rehearsal, its estimate, its refusals."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from exit_code import ended
from toy_nano import TOY_LM

from mamtra.backbone import BackboneConfig, Layout, Stack
from mamtra.checkpoints.format import ModelConfig, ModelFolder, write_config
from mamtra.checkpoints.modules import save_part
from mamtra.corpus.shards import Prepared, ShardWriter, write_index
from mamtra.distillation.data import open_utterances
from mamtra.distillation.distill import DistillRun
from mamtra.distillation.training_bytes import estimate, kept_bytes, parameters_of, training_bytes
from mamtra.errors import ConfigError, CorpusError
from mamtra.sizing.sizes import model_sizes, shaped
from mamtra.speech_lm import SpeechLM
from mamtra.text.tokenizer import NanoTokenizer
from mamtra.transfer.convert import convert


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> tuple[Path, Path]:
    """A teacher that cannot speak, for it is a language model alone, and its student."""
    folder = tmp_path_factory.mktemp("pair")
    teacher, student = folder / "teacher", folder / "student"
    torch.manual_seed(0)
    write_config(teacher, ModelConfig(name="toy", speech_lm=asdict(TOY_LM.config)))
    save_part(SpeechLM(TOY_LM.config), teacher / "speech_lm.safetensors")
    convert(ModelFolder(teacher), student, Layout.parse("AMAM"))
    return teacher, student


def options(workshop, steps: int) -> list[str]:
    given = {"--data": workshop.folder, "--steps": steps, "--tokens-per-batch": 300}
    given |= {"--held-out": 2, "--device": "cpu", "--precision": "float32", "--learning-rate": 1e-2}
    return [str(word) for pair in given.items() for word in pair]


def test_a_run_writes_a_student_and_goes_on_when_asked_for_more(pair, workshop, tmp_path) -> None:
    run = tmp_path / "run"
    words = ["distill", *map(str, pair), "-o", str(run)]
    for steps in (2, 3):
        assert ended([*words, *options(workshop, steps)]) == 0
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "validation_ce" in row] == [2, 3]
    student = ModelFolder(run / "student")
    assert student.section("speech_lm", type(TOY_LM.config)).backbone.layout == "AMAM"
    assert ended([*words, *options(workshop, 3), "--freeze", "all"]) == ConfigError.exit_code


def test_weights_of_losses_and_the_optimiser_are_chosen(pair, workshop, tmp_path, capsys) -> None:
    words = ["distill", *map(str, pair), "-o", str(tmp_path / "run"), *options(workshop, 2)]
    for wrong in ("0.1,1", "0.1,one,1"):
        assert ended([*words, "--losses", wrong]) == ConfigError.exit_code
        assert "three numbers" in capsys.readouterr().err
    assert ended([*words, "--optimizer", "sgd"]) == ConfigError.exit_code
    chosen = ["--losses", "0.1,1,0", "--optimizer", "muon", "--no-samples"]
    assert ended([*words, *chosen]) == 0
    asked = json.loads((tmp_path / "run" / "run.json").read_text())
    told = json.dumps(asked)
    assert '"ce": 0.1, "logits": 1.0, "embedding": 0.0' in told
    assert '"optimizer": "muon"' in told


def test_a_dry_run_tells_time_and_memory_of_two_steps(pair, workshop, capsys) -> None:
    words = ["distill", *map(str, pair), "--dry-run", "--json", "--accumulate", "2"]
    assert ended([*words, *options(workshop, 9)]) == 0
    steps = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [step["step"] for step in steps] == [0, 1]
    assert all(step["peak_bytes"] > 1e6 and step["places"] > 0 for step in steps)


def test_a_dry_run_needs_sizes_only(capsys) -> None:
    words = ["--dry-run", "--sizes", "toy", "--ratio", "1:3", "--tokens-per-batch", "100"]
    assert ended(["distill", *words, "--device", "cpu", "--checkpointing"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("step 0:")
    assert "Adam needs" in second


def test_an_estimate_runs_nothing(capsys) -> None:
    words = ["distill", "--estimate", "--sizes", "cosyvoice2", "--ratio", "1:1"]
    assert ended([*words, "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    # 555 hours are 50 million speech tokens; with text and marks 57 million places
    assert row["places"] == pytest.approx(15 * 57.5e6, rel=0.01)
    assert ended(words) == 0
    assert "a100" in capsys.readouterr().out


def test_what_is_missing_is_told() -> None:
    assert ended(["distill", "nano-teacher"]) == ConfigError.exit_code
    assert ended(["distill", "nano-teacher", "nano"]) == ConfigError.exit_code


def test_shards_become_ids_of_the_model(tiny_model_folder, tmp_path) -> None:
    writer = ShardWriter(tmp_path, "part-00000")
    said = {
        "a": ("train", "Hello there.", [1, 2, 3]),
        "b": ("test", "No.", [4]),
        "c": ("train", "Yes", [5]),
        "d": ("train", "你好", [6]),
        "e": ("train", "Café 2", [7, 8]),
    }
    for name, (split, text, tokens) in said.items():
        writer.add(
            Prepared(
                id=name,
                text=text,
                speaker="anna",
                split=split,
                seconds=0.1,
                tokens=torch.tensor(tokens),
                vector=torch.zeros(4),
            )
        )
    write_index(tmp_path, [writer.close()], "tiny")
    utterances = open_utterances(tmp_path, ModelFolder(tiny_model_folder))
    encode = NanoTokenizer().encode
    pairs = [utterances.utterance(number) for number in range(len(utterances.lengths))]
    # a model of letters reads finished sentences only, and numbers and accents as they are spoken
    read = [("Hello there.", [1, 2, 3]), ("Yes.", [5]), ("cafe two.", [7, 8])]
    assert pairs == [(encode(text), said) for text, said in read]
    assert utterances.left_out == ["d"]
    assert list(utterances.lengths) == [len(text) + len(tokens) for text, tokens in pairs]


def test_a_folder_without_prepared_speech_is_refused(tiny_model_folder, tmp_path) -> None:
    with pytest.raises(CorpusError, match="mamtra prepare"):
        open_utterances(tmp_path, ModelFolder(tiny_model_folder))


def test_weights_are_counted_and_not_made() -> None:
    sizes = shaped(model_sizes("cosyvoice2"), "1:1")
    whole, learns = parameters_of(sizes.speech_lm, "mamba")
    # 12 mixers, the speech embedding and the head
    assert learns == 12 * 2_657_066 + 6_564 * 896 * 2 + 6_564
    assert whole > 500_000_000
    run = DistillRun(freeze="all")
    parts = training_bytes(model_sizes("cosyvoice2").speech_lm, sizes.speech_lm, run)
    assert parts.adam == 8 * whole
    assert parts.student == 2 * whole


def test_recomputing_fits_a_larger_batch_and_takes_longer() -> None:
    teacher, student = (shaped(model_sizes("cosyvoice2"), shape) for shape in ("1:0", "1:1"))
    plain = estimate(teacher.speech_lm, student.speech_lm, DistillRun())
    again = estimate(teacher.speech_lm, student.speech_lm, DistillRun(recompute=True))
    for one, other in zip(plain.cards, again.cards, strict=True):
        assert other.largest_places > 2 * one.largest_places
        assert one.hours < other.hours < 1.34 * one.hours


def really_kept(config: BackboneConfig, rows: int, time: int) -> float:
    """Bytes a place that autograd holds after a pass, without the weights."""
    stack = Stack(config).to(torch.bfloat16)
    own = {weight.untyped_storage().data_ptr() for weight in stack.parameters()}
    held: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            held[storage.data_ptr()] = storage
        return tensor

    hidden = torch.randn(rows, time, config.dim, dtype=torch.bfloat16)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        stack(hidden)
    return sum(storage.nbytes() for storage in held.values()) / (rows * time)


@pytest.mark.parametrize("layout", ["AA", "MM"])
def test_the_estimate_of_activations_is_near_what_autograd_keeps(layout) -> None:
    full = BackboneConfig(layout=layout)
    config = replace(full, dim=224, query_heads=7, kv_heads=1, head_dim=32, mlp_dim=1216)
    measured, told = really_kept(config, 4, 96), kept_bytes(config, recompute=False)
    assert told == pytest.approx(measured, rel=0.25)
