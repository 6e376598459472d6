"""Timing whole processes: what is run, and what the figures mean."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mamtra.benchmark.process import Finished, run_python
from mamtra.benchmark.speak import sentence
from mamtra.benchmark.speak.sentence import (
    BASELINES,
    hibari_arguments,
    import_arguments,
    installed,
    processes,
    say_arguments,
    summarise,
)
from mamtra.cli import bench
from mamtra.errors import ConfigError, GenerationError, ModelError

PRINTED = {
    "seconds": 4.0,
    "compute_seconds": {"text": 0.0, "speech_lm": 0.4, "decoder": 0.2, "vocoder": 0.2},
}
SECONDS = {"python": 0.1, "torch": 1.0, "import": 1.5, "say": 3.5}
COMMANDS = {**BASELINES, "import": ["-c", "import"], "say": ["-m", "mamtra"]}


class Clock:
    """Runs nothing; each process takes the time that was given for it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, arguments: Sequence[str]) -> Finished:
        name = next(key for key, value in COMMANDS.items() if value == list(arguments))
        self.asked.append(name)
        printed = PRINTED if name == "say" else {}
        return Finished(seconds=SECONDS[name], cpu_seconds=1.0, peak_bytes=2**20, printed=printed)


def test_every_round_times_the_baselines_and_the_first_one_is_not_counted() -> None:
    clock = Clock()
    assert len(list(processes(COMMANDS, 2, clock))) == 2
    assert clock.asked == ["python", "torch", "import", "say"] * 3


def test_figures_are_ratios_within_a_round() -> None:
    results = summarise(list(processes(COMMANDS, 3, Clock())))
    factor = {name: one["median"] for name, one in results["say"]["real_time_factor"].items()}
    assert factor["whole"] == pytest.approx(3.5 / 4)
    assert factor["without_import"] == pytest.approx(2.0 / 4)
    assert factor["speaking"] == pytest.approx(0.8 / 4)
    assert factor["speech_lm"] == pytest.approx(0.1)
    assert results["say"]["times_import_torch"]["median"] == pytest.approx(3.5)
    assert results["say"]["peak_bytes"] == 2**20


def test_a_process_is_compared_with_hibari_within_its_round() -> None:
    times = {name: Finished(seconds=4.0, cpu_seconds=2.0, peak_bytes=100) for name in COMMANDS}
    times["say"] = Finished(seconds=3.0, cpu_seconds=1.0, peak_bytes=80, printed=PRINTED)
    times["hibari"] = Finished(seconds=2.0, cpu_seconds=4.0, peak_bytes=100)
    compared = summarise([times])["say"]["of_hibari"]
    assert {name: found["median"] for name, found in compared.items()} == {
        "seconds": 1.5,
        "cpu_seconds": 0.25,
        "peak_bytes": 0.8,
    }


def test_packages_that_are_not_installed_are_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentence.importlib.util, "find_spec", lambda name: None)
    found = installed({**COMMANDS, "hibari": hibari_arguments("Hello.", Path("a.wav"))})
    assert list(found) == ["python", "import", "say"]
    alone = {"say": Finished(seconds=3.0, cpu_seconds=1.0, peak_bytes=80, printed=PRINTED)}
    alone["import"] = Finished(seconds=1.0, cpu_seconds=1.0, peak_bytes=80)
    assert "times_import_torch" not in summarise([alone])["say"]


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_what_is_imported_before_loading_is_what_saying_imports(
    engine: str, tiny_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = "nano" if engine == "onnx" else str(tiny_model_folder)
    _, imports = import_arguments(model)
    said = f"main(['say', 'Hi.', '-o', 'a.wav', '--quiet', '--model', {model!r}])"
    script = (
        f"{imports}; import json, sys; before = set(sys.modules)\n"
        f"from mamtra.cli.main import main\ntry: {said}\nexcept SystemExit: pass\n"
        "print(json.dumps({'later': sorted(set(sys.modules) - before)}))"
    )
    monkeypatch.chdir(tmp_path)
    later = run_python(["-c", script]).printed["later"]
    heavy = ("torch", "numpy", "onnxruntime", "soundfile", "soxr", "safetensors", "sentencex")
    assert [name for name in later if name in heavy] == []


def test_the_command_is_the_one_a_person_would_type() -> None:
    arguments = say_arguments("nano", "-hello", "slt", 1, Path("a.wav"))
    assert arguments[:3] == ["-m", "mamtra", "say"]
    assert arguments[-4:] == ["--voice", "slt", "--", "-hello"]


def test_a_real_process_is_timed_with_what_it_prints() -> None:
    finished = run_python(["-c", "print('{\"seconds\": 1.5}')"])
    assert finished.printed == {"seconds": 1.5}
    assert finished.seconds > 0
    assert finished.peak_bytes > 2**20


def test_a_process_is_weighed_without_what_its_parent_holds():
    held = bytearray(b"1" * 150_000_000)
    assert run_python(["-c", "pass"]).peak_bytes < 60_000_000 < len(held)
    assert run_python(["-c", "b'1' * 150_000_000"]).peak_bytes > 140_000_000


def test_a_process_that_fails_is_one_clear_sentence() -> None:
    with pytest.raises(GenerationError, match="ended with 3: no such voice"):
        run_python(
            ["-c", "import sys; print('error: no such voice', file=sys.stderr); sys.exit(3)"]
        )


def test_a_benchmark_shows_its_table_and_adds_its_row_to_a_file(
    tiny_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fake(*arguments: object) -> Iterator[dict]:
        return processes(COMMANDS, int(str(arguments[-1])), Clock())

    monkeypatch.setattr(sentence, "benchmark", fake)
    path = tmp_path / "speak.jsonl"
    common = ["--model", str(tiny_model_folder), "--text", "Hello there.", "-o", str(path)]
    done = CliRunner().invoke(bench.app, ["speak", "--runs", "2", *common], catch_exceptions=False)
    assert done.exit_code == 0
    row = json.loads(path.read_text())
    assert (row["settings"]["model"], row["rounds"]) == (tiny_model_folder.name, 2)
    assert row["provenance"]["seed"] == 0
    assert list(row["results"]) == [*SECONDS, "warm say", "stream"]
    assert "RTF" in " ".join(done.stdout.split())
    assert "{" not in done.stdout


def test_a_flow_of_no_steps_is_refused() -> None:
    refused = CliRunner().invoke(bench.app, ["speak", "--flow-steps", "0"])
    assert refused.exit_code == 2


def test_an_unknown_model_is_refused_before_anything_is_timed() -> None:
    with pytest.raises(ModelError, match="nobody"):
        CliRunner().invoke(bench.app, ["speak", "--model", "nobody"], catch_exceptions=False)


@pytest.mark.parametrize(
    ("option", "value"), [("--flow-steps", "3"), ("--ratio", "1:1"), ("--computed", "float32")]
)
def test_what_only_stages_heed_is_refused_without_them(option: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"{option} is for a run by stages"):
        CliRunner().invoke(bench.app, ["speak", option, value], catch_exceptions=False)
