"""A run that dies at twenty random moments, in the middle of writing, comes to the same table.

Once by an error in the middle of a write, in this process; once (slow) by killing the command.
"""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from mamtra.audio.clip import Audio, write
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


def command(model: Path, folder: Path, out: Path) -> list[str]:
    """An evaluation of a model and of recordings, as somebody would type it."""
    lines = ["--set", str(folder / "lines.txt"), "--wavs", str(folder / "noise")]
    judge = ["--judge", "pocketsphinx:choice", "--baseline", "noise", "--profile", "spoken"]
    models = [sys.executable, "-m", "mamtra", "evaluate", "seed-tts", str(model)]
    return [*models, *lines, *judge, "-o", str(out)]


def figures_of(out: Path) -> dict:
    """The figures of every system, but for how long each clip took."""
    told = json.loads((out / "scores.json").read_text())["systems"]
    for figures in told.values():
        figures.pop("times_real_time")
    return told


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="processes are killed as POSIX does")
def test_a_command_killed_at_twenty_moments_makes_the_same_table(
    tiny_model_folder: Path, tmp_path: Path
) -> None:
    pytest.importorskip("pocketsphinx")
    (tmp_path / "noise").mkdir()
    draw, texts = np.random.default_rng(0), [f"This is line {n} of the set." for n in range(40)]
    (tmp_path / "lines.txt").write_text("\n".join(texts) + "\n")
    for number in range(len(texts)):
        samples = draw.normal(0, 0.1, 16_000).astype(np.float32)
        write(tmp_path / "noise" / f"{number}.wav", Audio(samples=samples, rate_hz=16_000))
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    started = time.monotonic()
    subprocess.run(command(tiny_model_folder, tmp_path, whole), check=True, capture_output=True)
    lasted, moments = time.monotonic() - started, random.Random(0)
    arguments = command(tiny_model_folder, tmp_path, killed)
    deaths = 0
    while deaths < DEATHS:
        process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(moments.uniform(0.2, lasted))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            deaths += 1
    subprocess.run(arguments, check=True, capture_output=True)
    assert figures_of(killed) == figures_of(whole)
    assert (killed / "table.md").read_text() == (whole / "table.md").read_text()
