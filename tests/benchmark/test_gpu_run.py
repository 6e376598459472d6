"""The run for a GPU, rehearsed on a processor: order, deadlines, and rows that survive a cut."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from exit_code import ended

from mamtra.benchmark.decode import worker
from mamtra.benchmark.decode.config import read_config
from mamtra.benchmark.gpu import GpuRun, Outcome, draw_rows, measure, measurements, start
from mamtra.benchmark.row import KEYS, read_rows

TARGETS = ("1:0", "1:1")
TOY = replace(GpuRun(model="toy", device="cpu", seconds=100.0).rehearsed(), targets=TARGETS)
FIRST_PARTS = ("one stream", "chain", "many streams")
DISTILLED: Outcome = {"tokens_per_second": 7.0}


def here(arguments: Sequence[str], limit: float) -> Outcome:
    """Measure in this process what a fresh one would."""
    assert limit > 0
    if arguments[1] == "mamtra.benchmark.decode.worker":
        return worker.measure(read_config(arguments[2]))
    return {"passed": True, "report": "2 passed"} if arguments[1] == "pytest" else DISTILLED


@pytest.mark.slow
def test_everything_that_was_asked_for_is_in_the_rows(tmp_path: Path) -> None:
    threads, told = torch.get_num_threads(), list[str]()
    rows = measure(TOY, tmp_path / "gpu.jsonl", told.append, here)
    torch.set_num_threads(threads)
    kept = read_rows(tmp_path / "gpu.jsonl")
    parts = {row["settings"]["part"]: row for row in kept}
    assert list(parts) == ["one stream", "chain", "many streams", "distillation", "tests"]
    assert all(set(row) == set(KEYS) for row in kept)
    cells = parts["one stream"]["results"]["1:1"]["decode"]
    assert [cell["context"] for cell in cells] == [20, 40]
    assert len(parts["one stream"]["results"]["1:1"]["prefill"]) == 2
    assert parts["chain"]["results"]["1:1"]["memory"]["states"] is not None
    assert set(parts["chain"]["results"]["1:0"]["chain"]["real_time_factor"]) == {
        "speech_lm",
        "decoder",
        "vocoder",
        "whole",
    }
    assert {cell["batch"] for cell in parts["many streams"]["results"]["1:0"]["decode"]} == {2}
    assert len(told) == sum(len(row["results"]) for row in kept)
    pytest.importorskip("matplotlib")
    pictures = draw_rows(rows, tmp_path)
    assert [path.is_file() for path in pictures] == [True] * 3


def test_what_was_done_before_a_cut_is_kept(tmp_path: Path) -> None:
    class CutError(Exception):
        """The machine is taken away."""

    def until_cut(arguments: Sequence[str], limit: float) -> Outcome:
        if read_config(arguments[2]).seconds:
            raise CutError
        return here(arguments, limit)

    with pytest.raises(CutError):
        measure(replace(TOY, tests=False), tmp_path / "gpu.jsonl", lambda _: None, until_cut)
    (kept,) = read_rows(tmp_path / "gpu.jsonl")
    assert list(kept["results"]) == ["1:1"]


def test_no_part_takes_more_than_its_share_and_late_ones_are_left_out(tmp_path: Path) -> None:
    now, limits = [0.0], list[float]()

    def slow(_: Sequence[str], limit: float) -> Outcome:
        limits.append(limit)
        now[0] += limit
        return {"cut": f"not finished within {limit:.0f} seconds"}

    run = GpuRun(seconds=480.0)
    measure(run, tmp_path / "gpu.jsonl", lambda _: None, slow, lambda: now[0])
    assert sum(limits) <= run.seconds
    assert limits[0] == pytest.approx(96)
    parts = {row["settings"]["part"]: row for row in read_rows(tmp_path / "gpu.jsonl")}
    assert "cut" in parts["many streams"]["results"]["1:5"]
    assert parts["many streams"]["results"]["baseline"] == {"skipped": "no time was left"}


def test_the_full_run_covers_what_the_paper_compares() -> None:
    found = list(measurements(GpuRun()))
    targets = ["1:1", "1:5", "baseline", "1:0", "1:5-grouped", "removed-12"]
    assert [one.name for one in found if one.part == "one stream"] == targets
    last = ["1:1", "1:5", "1:0", "1:5-grouped", "removed-12", "baseline"]  # which takes longest
    assert [one.name for one in found if one.part == "many streams"] == last
    assert [one.name for one in found if one.part == "chain"] == [
        *("1:1", "1:5", "1:0", "baseline")
    ]
    many = [read_config(one.arguments[2]) for one in found if one.part == "many streams"]
    assert {config.batches for config in many} == {(8, 32)}
    assert {config.contexts for config in many} == {(250, 1000, 4000, 16_000)}


def test_the_hybrids_are_measured_before_all_else() -> None:
    found = [(one.part, one.name) for one in measurements(GpuRun())]
    hybrids = [(part, name) for part in FIRST_PARTS for name in ("1:1", "1:5")]
    assert found[:8] == [*hybrids, ("distillation", "1:1"), ("tests", "gpu")]
    assert found[8] == ("one stream", "baseline")


def test_a_process_that_hangs_or_fails_is_told() -> None:
    assert "not finished" in start(["-c", "import time; time.sleep(60)"], 0.5)["cut"]
    assert "ValueError" in start(["-c", "raise ValueError"], 60.0)["failed"]


@pytest.mark.parametrize(
    ("wrong", "code", "told"),
    [
        (["--device", "tpu"], 3, "cpu and cuda"),
        (["--device", "cpu", "--model", "no-such"], 6, "unknown model"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_all_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[Any], wrong: list[str], code: int, told: str
) -> None:
    assert ended(["bench", "gpu", "-o", str(tmp_path / "rows"), *wrong]) == code
    assert told in capsys.readouterr().err
    assert not (tmp_path / "rows").exists()


def test_of_tests_that_hang_what_they_said_is_kept(tmp_path: Path) -> None:
    hanging = (
        "import time\n\ndef test_it():\n    print('so far', flush=True)\n    time.sleep(600)\n"
    )
    (tmp_path / "test_hanging.py").write_text(hanging)
    told = start(("-m", "pytest", "-s", "-c", "/dev/null", str(tmp_path)), 12.0)
    assert "not finished" in told["cut"]
    assert "so far" in told["report"]


@pytest.mark.slow
def test_the_command_rehearses_in_processes_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[Any]
) -> None:
    wanted = ["bench", "gpu", "-o", str(tmp_path), "--device", "cpu", "--model", "toy"]
    assert ended([*wanted, "--minutes", "10", "--no-tests"]) == 0
    told = capsys.readouterr().out
    assert "failed" not in told
    rate = [row for row in read_rows(tmp_path / "gpu.jsonl") if row["benchmark"] == "distillation"]
    assert rate[0]["results"]["1:1"]["tokens_per_second"] > 0
