"""Blind tests of single clips: anchors and repeats find careless listeners."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from mamtra.audio.clip import Audio, read, write
from mamtra.cli.evaluate import app
from mamtra.errors import ConfigError, CorpusError
from mamtra.evaluation.listening_form import read_key
from mamtra.evaluation.listening_mos import items_of, ratings

GOOD = {"one": 4, "two": 2, "three": 5}
LINES = 10


@pytest.fixture
def test(tmp_path: Path) -> Path:
    """A test of three systems, as the command writes it."""
    (tmp_path / "lines.txt").write_text("".join(f"Line {n} is here.\n" for n in range(LINES)))
    wavs = []
    for name in GOOD:
        (tmp_path / name).mkdir()
        for number in range(1, LINES + 1):
            audio = Audio(samples=np.full(900, 0.1, np.float32), rate_hz=16_000)
            write(tmp_path / name / f"{number}.wav", audio)
        wavs += ["--wavs", str(tmp_path / name)]
    told = ["--sentences", str(tmp_path / "lines.txt"), "-o", str(tmp_path / "blind")]
    arguments = ["blind", "--form", "mos", *wavs, *told, "--count", "8"]
    assert CliRunner().invoke(app, arguments, catch_exceptions=False).exit_code == 0
    return tmp_path / "blind"


def answered(folder: Path, name: str, answer) -> Path:
    """A listener's file; ``answer`` takes an item of the key."""
    key = json.loads((folder / "key.json").read_text())
    answers = [answer(item) for item in key["items"]]
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"test": key["test"], "listener": name, "answers": answers}))
    return path


def honest(item: dict) -> int:
    return 1 if item["kind"] == "anchor" else GOOD[Path(item["system"]).name]


def test_every_system_gets_its_mean_with_an_interval(test: Path) -> None:
    found = ratings(read_key(test / "key.json"), [answered(test, name, honest) for name in "ab"])
    assert {Path(name).name: mos.value for name, mos in found.mos.items()} == GOOD
    assert (found.listeners, found.left_out) == (2, {})


def test_who_rates_noise_as_speech_or_repeats_at_random_is_left_out(test: Path) -> None:
    draw = random.Random(0)
    paths = [
        answered(test, "ann", honest),
        answered(test, "deaf", lambda item: 3),
        answered(test, "dice", lambda item: 1 if item["kind"] == "anchor" else
                 5 if item["kind"] == "repeat" else draw.choice([1, 2])),
    ]  # fmt: skip
    found = ratings(read_key(test / "key.json"), paths)
    assert found.left_out == {
        "deaf": "finds clips in loud noise as natural as the others",
        "dice": "answers the same question differently",
    }
    with pytest.raises(CorpusError, match="no answers are left of 1 listeners"):
        ratings(read_key(test / "key.json"), paths[1:2])


def test_anchors_are_noisy_and_nothing_on_the_page_tells_them(test: Path) -> None:
    items = read_key(test / "key.json")["items"]
    kinds = [item["kind"] for item in items]
    assert (kinds.count("clip"), kinds.count("repeat"), kinds.count("anchor")) == (24, 2, 2)
    for number, kind in enumerate(kinds):
        spread = float(read(test / "page" / f"{number:03d}.wav").samples.std())
        assert (spread > 0.05) == (kind == "anchor")
    text = (test / "page" / "index.html").read_text()
    assert "anchor" not in text
    assert "three" not in text


def test_the_order_is_the_seeds() -> None:
    lines = [str(n) for n in range(9)]
    assert items_of(["a", "b"], lines, 1) == items_of(["a", "b"], lines, 1)
    assert items_of(["a", "b"], lines, 1) != items_of(["a", "b"], lines, 2)


def test_answers_off_the_scale_and_unknown_forms_are_refused(test: Path, tmp_path: Path) -> None:
    path = answered(test, "ann", lambda item: 0)
    with pytest.raises(CorpusError, match="beyond 1 to 5"):
        ratings(read_key(test / "key.json"), [path])
    with pytest.raises(ConfigError, match="form 'guess' is unknown; known: ab, mos"):
        CliRunner().invoke(
            app,
            ["blind", "--form", "guess", "--wavs", "a", "--sentences", "everyday", "-o", "x"],
            catch_exceptions=False,
        )
