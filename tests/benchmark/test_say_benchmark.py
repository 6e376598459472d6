"""Timing whole processes: what is run, and what the figures mean."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from mamtra.benchmark.say import (
    SENTENCE,
    YARDSTICKS,
    Finished,
    append,
    rounds,
    row,
    run_python,
    say_arguments,
    summarise,
)
from mamtra.errors import GenerationError

TOLD = {
    "seconds": 4.0,
    "timings": {"text": 0.0, "speech_lm": 0.4, "decoder": 0.2, "vocoder": 0.2},
}
FAILS = "import sys; print('error: no such voice', file=sys.stderr); sys.exit(3)"
SECONDS = {"python": 0.1, "torch": 1.0, "import": 1.5, "say": 3.5}


class Clock:
    """Runs nothing; each process takes the time that was given for it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, arguments: Sequence[str]) -> Finished:
        name = next((key for key, value in YARDSTICKS.items() if value == list(arguments)), "say")
        self.asked.append(name)
        told = TOLD if name == "say" else {}
        return Finished(seconds=SECONDS[name], cpu_seconds=1.0, peak_bytes=2**20, told=told)


def test_every_round_times_the_yardsticks_and_the_first_one_is_not_counted() -> None:
    clock = Clock()
    assert len(list(rounds(["-m", "mamtra"], 2, clock))) == 2
    assert clock.asked == ["python", "torch", "import", "say"] * 3


def test_figures_are_ratios_within_a_round() -> None:
    figures = summarise(list(rounds([], 3, Clock())))
    factor = {name: spread["median"] for name, spread in figures["real_time_factor"].items()}
    assert factor["whole"] == pytest.approx(3.5 / 4)
    assert factor["without_import"] == pytest.approx(2.0 / 4)
    assert factor["speaking"] == pytest.approx(0.8 / 4)
    assert factor["speech_lm"] == pytest.approx(0.1)
    assert figures["times_import_torch"]["say"]["median"] == pytest.approx(3.5)
    assert figures["peak_bytes"]["say"] == 2**20


def test_a_row_says_what_was_measured_and_can_be_added_to_a_file(tmp_path: Path) -> None:
    line = row({"model": "nano", "text": SENTENCE}, list(rounds([], 2, Clock())))
    assert (line["words"], line["runs"]) == (12, 2)
    path = tmp_path / "results" / "say.jsonl"
    append(path, line)
    append(path, line)
    assert [json.loads(text) for text in path.read_text().splitlines()] == [line, line]


def test_the_command_is_the_one_a_person_would_type() -> None:
    arguments = say_arguments("nano", "-hello", "slt", 1, Path("a.wav"))
    assert arguments[:3] == ["-m", "mamtra", "say"]
    assert arguments[-4:] == ["--voice", "slt", "--", "-hello"]


def test_a_real_process_is_timed_with_what_it_prints() -> None:
    finished = run_python(["-c", "print('{\"seconds\": 1.5}')"])
    assert finished.told == {"seconds": 1.5}
    assert finished.seconds > 0
    assert finished.peak_bytes > 2**20


def test_a_process_that_fails_is_one_clear_sentence() -> None:
    with pytest.raises(GenerationError, match="ended with 3: no such voice"):
        run_python(
            ["-c", "import sys; print('error: no such voice', file=sys.stderr); sys.exit(3)"]
        )
