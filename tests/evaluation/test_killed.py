"""A run that dies at twenty random moments, in the middle of writing, comes to the same table."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

from mamtra.errors import AudioError
from mamtra.evaluation import harness, run_folder
from mamtra.evaluation.clip import Clip
from mamtra.evaluation.harness import Judges, judged_lines
from mamtra.evaluation.judges.judge import Identity
from mamtra.evaluation.line_set import Line, plain_set
from mamtra.evaluation.report import table
from mamtra.evaluation.run_folder import RunFolder
from mamtra.evaluation.scores import score
from mamtra.evaluation.text_rules import profile_named

LINES = plain_set("toy", [f"this is line number {n} of the set" for n in range(24)])
DEATHS = 20
RUNS = 2


class Dead(BaseException):
    """Stands for a process that is no more."""


class Toy:
    """Says a line as noise that its text and the run decide; fails on one line."""

    def __init__(self, name: str) -> None:
        self.name, self.fingerprint = name, name

    def speak(self, line: Line, run: int) -> Clip:
        if line.id == "0005":
            raise AudioError("it stuck")
        draw = np.random.default_rng([len(self.name), int(line.id), run])
        samples = draw.normal(0, 0.1, 16_000 * 2).astype(np.float32)
        return Clip(samples=samples, rate_hz=16_000, took_seconds=0.1)


class Ear:
    """Hears some words of the set, which the sound decides."""

    identity = Identity(name="ear", package="toy", version="1")

    def hear(self, samples: np.ndarray, rate_hz: int) -> str:
        return " ".join(f"this is line {word}" for word in np.abs(samples[:3]).round(2))


class Taste:
    """Rates by loudness."""

    identity = Identity(name="taste", package="toy", version="1")

    def quality(self, samples: np.ndarray, rate_hz: int) -> float:
        return 1 + 20 * float(np.abs(samples).mean())


def judged(folder: Path) -> str:
    """The table of a whole run."""
    pytest.importorskip("jiwer")
    systems, judges = [Toy("one"), Toy("three")], Judges.of([Ear(), Taste()])
    clips = list(judged_lines(LINES.lines, systems, judges, RunFolder(folder), RUNS))
    figures = score(clips, profile_named("seed-tts"), baselines={"three": "one"})
    assert json.loads(json.dumps(figures)) == figures
    return table(figures, "mean of utterances", "toy", []).markdown()


def test_twenty_deaths_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw, deaths, left = random.Random(0), 0, 0
    append, write = run_folder.append_row, harness.write

    def one_step(path: Path) -> None:
        """Die here, if it is time: what is being written stays half written."""
        nonlocal left
        left -= 1
        if left == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                file.write(b'{"key": "half a li')
            raise Dead

    def dying_append(path: Path, row: dict, error: type) -> None:
        one_step(path)
        append(path, row, error)

    def dying_write(path: Path, audio: object) -> None:
        one_step(path)
        write(path, audio)

    whole = judged(tmp_path / "whole")
    monkeypatch.setattr(run_folder, "append_row", dying_append)
    monkeypatch.setattr(harness, "write", dying_write)
    folder = tmp_path / "killed"
    while True:
        left = draw.randint(2, 28) if deaths < DEATHS else -1
        try:
            told = judged(folder)
            break
        except Dead:
            deaths += 1
    assert deaths == DEATHS
    assert told == whole
    rows = [json.loads(row) for row in (folder / "said.jsonl").read_text().splitlines()]
    assert len(rows) == len({row["key"] for row in rows}) == 2 * RUNS * len(LINES.lines)
