"""``mamtra distill`` on the toy workshop: a run, its rehearsal, its estimate, its refusals."""

import json
import re
import signal
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import pytest
import torch
from exit_code import ended
from safetensors.torch import load_file
from toy_nano import TOY_LM

from mamtra.backbone import BackboneConfig, Layout, Stack
from mamtra.checkpoints.format import ModelConfig, ModelFolder, write_config
from mamtra.checkpoints.modules import save_part
from mamtra.corpus.shards import Prepared, ShardWriter, write_index
from mamtra.distillation.data import open_utterances
from mamtra.distillation.settings import DistillRun
from mamtra.distillation.task import DistillTask
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


def options(workshop, **changes: object) -> list[str]:
    """The rest of a command that trains for a moment."""
    values = {"steps": 2, "tokens": 300, "held_out": 2, "precision": "float32"} | changes
    values.setdefault("learning_rate", 1e-2)
    pairs = [word for key, value in values.items() for word in ("--set", f"{key}={value}")]
    return ["--data", str(workshop.folder), "--device", "cpu", *pairs]


def rows(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def test_a_run_writes_a_student_says_how_it_ended_and_goes_on_when_asked_for_more(
    pair, workshop, tmp_path, capsys
) -> None:
    run = tmp_path / "run"
    words = ["distill", *map(str, pair), "-o", str(run)]
    for steps in (2, 3):
        assert ended([*words, *options(workshop, steps=steps)]) == 0
        said = capsys.readouterr().err
        assert re.search(rf"held out: ce \d\.\d+, teacher \d\.\d+ after {steps} steps", said)
        assert re.search(rf"step {steps} of {steps}: loss \d", said), "a line a report"
    assert [row["step"] for row in rows(run) if "held_out_ce" in row] == [2, 3]
    student = ModelFolder(run / "student")
    assert student.section("speech_lm", type(TOY_LM.config)).backbone.layout == "AMAM"
    other = options(workshop, steps=3, freeze="all")
    assert ended([*words, *other]) == ConfigError.exit_code
    assert "freeze (mamba, now all)" in capsys.readouterr().err


def test_a_recipe_and_its_changes_are_in_the_run_folder(pair, workshop, tmp_path) -> None:
    words = ["distill", *map(str, pair), "-o", str(tmp_path), "--recipe", "teacher-first"]
    changes = {"calibration_batches": 1, "losses.embedding": 0, "optimizer": "muon"}
    assert ended([*words, *options(workshop, **changes), "--no-samples"]) == 0
    run = json.loads((tmp_path / "run.json").read_text())["run"]
    assert run["losses"] == {"ce": 0.1, "logits": 1.0, "embedding": 0.0, "skew": 0.1}
    assert run["settings"]["optimizer"] == "muon"
    assert run["epochs"] == 0, "steps were given"
    assert run["freeze"] == "all"
    assert {"loss", "ce", "logits", "teacher_ce"} <= rows(tmp_path)[0].keys()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--recipe", "mine"], "recipe 'mine' is unknown; possible are paper, teacher-first"),
        (["--set", "optimizer=sgd"], "optimizer='sgd' is unknown; possible are adam, muon"),
        (["--set", "places=3"], "names no key; keys are settings.steps"),
        (["--set", "learning_rate=0"], "learning_rate=0.0 must be above 0"),
        (["--set", "freeze=none"], "freeze='none' is unknown"),
        (["--set", "held_out=64"], "too few to keep held_out=64 of them"),
    ],
)
def test_a_refused_call_writes_nothing_and_blocks_no_retry(
    pair, workshop, tmp_path, capsys, words, message
) -> None:
    run = tmp_path / "run"
    command = ["distill", *map(str, pair), "-o", str(run), *options(workshop), "--no-samples"]
    assert ended([*command, *words]) in (ConfigError.exit_code, CorpusError.exit_code)
    assert message in capsys.readouterr().err
    assert not run.exists()


def test_the_same_data_under_another_name_goes_on(pair, workshop, tmp_path, monkeypatch) -> None:
    words = ["distill", *map(str, pair), "-o", str(tmp_path / "run"), "--no-samples"]
    assert ended([*words, *options(workshop)]) == 0
    link = tmp_path / "elsewhere"
    link.symlink_to(workshop.folder)
    monkeypatch.chdir(tmp_path)
    again = options(workshop, steps=3)
    again[1] = "elsewhere"
    assert ended([*words, *again]) == 0
    assert rows(tmp_path / "run")[-1]["step"] == 3


def test_a_run_folder_with_a_damaged_request_is_named(pair, workshop, tmp_path, capsys) -> None:
    (tmp_path / "run.json").write_text("[")
    words = ["distill", *map(str, pair), "-o", str(tmp_path), *options(workshop)]
    assert ended(words) == ConfigError.exit_code
    assert "run.json' as JSON" in capsys.readouterr().err


def test_ctrl_c_keeps_the_step_and_says_that_the_same_command_goes_on(
    pair, workshop, tmp_path, capsys, monkeypatch, request
) -> None:
    # a test run in the background ignores Ctrl-C
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(partial(signal.signal, signal.SIGINT, before))
    words = ["distill", *map(str, pair), "--no-samples", *options(workshop, steps=4)]
    loss = DistillTask.loss

    def interrupted(task: DistillTask, number: int) -> dict[str, torch.Tensor]:
        if number == 2:
            signal.raise_signal(signal.SIGINT)
        return loss(task, number)

    with monkeypatch.context() as patch:
        patch.setattr(DistillTask, "loss", interrupted)
        assert ended([*words, "-o", str(tmp_path / "stopped")]) == 130
    assert "stopped at step 3; the same command goes on" in capsys.readouterr().err
    for name in ("stopped", "whole"):
        assert ended([*words, "-o", str(tmp_path / name)]) == 0
    weights = [load_file(tmp_path / name / "model.safetensors") for name in ("stopped", "whole")]
    assert all(torch.equal(weights[0][name], value) for name, value in weights[1].items())


def test_a_dry_run_tells_time_and_memory_of_two_steps(pair, workshop, capsys) -> None:
    words = ["distill", *map(str, pair), "--dry-run", "--json", "--set", "accumulate=2"]
    assert ended([*words, *options(workshop, steps=9)]) == 0
    steps = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [step["step"] for step in steps] == [0, 1]
    assert all(step["peak_bytes"] > 1e6 and step["tokens"] > 0 for step in steps)


def test_a_dry_run_needs_sizes_only(capsys) -> None:
    words = ["--dry-run", "--set", "tokens=100", "--set", "recompute=yes", "--device", "cpu"]
    assert ended(["distill", "toy", "1:3", *words]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("step 0:")
    assert "Adam needs" in second


def test_an_estimate_runs_nothing(capsys) -> None:
    words = ["distill", "cosyvoice2", "1:1", "--estimate"]
    assert ended([*words, "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    # 555 hours are 50 million speech tokens; with text and marks 57 million
    assert row["tokens"] == pytest.approx(15 * 57.5e6, rel=0.01)
    assert ended(words) == 0
    assert "a100" in capsys.readouterr().out


def test_what_is_missing_is_told(capsys) -> None:
    for words in (["nano-teacher", "nano"], ["cosyvoice2", "1:1", "--data", "x", "-o", "y"]):
        assert ended(["distill", *words]) == ConfigError.exit_code
        assert "mamtra distill TEACHER STUDENT --data SHARDS -o RUN" in capsys.readouterr().err


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
        assert other.largest_batch > 2 * one.largest_batch
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
