"""Blind tests: sides stay secret, careless listeners are found, scores are for one system."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from mamtra.audio.clip import Audio, write
from mamtra.cli.evaluate import app
from mamtra.errors import ConfigError, CorpusError
from mamtra.evaluation.listening import items_of, opinion
from mamtra.evaluation.listening_form import read_key

COUNT = 20


@pytest.fixture
def test(tmp_path: Path) -> Path:
    """A test of "worse" against "better", as the command writes it."""
    (tmp_path / "lines.txt").write_text("".join(f"Line {n} is here.\n" for n in range(COUNT + 2)))
    for name, level in (("worse", 0.1), ("better", 0.2)):
        (tmp_path / name).mkdir()
        for number in range(1, COUNT + 3):
            audio = Audio(samples=np.full(90, level, np.float32), rate_hz=16_000)
            write(tmp_path / name / f"{number}.wav", audio)
    wavs = ["--wavs", str(tmp_path / "worse"), "--wavs", str(tmp_path / "better")]
    told = ["--sentences", str(tmp_path / "lines.txt"), "-o", str(tmp_path / "blind")]
    done = CliRunner().invoke(app, ["blind", *wavs, *told], catch_exceptions=False)
    assert done.exit_code == 0
    return tmp_path / "blind"


def answered(
    folder: Path, name: str, quality: float, seed: int = 0, careless: bool = False
) -> Path:
    """A listener who prefers the better system by so much, give or take."""
    key, draw = json.loads((folder / "key.json").read_text()), random.Random(0)
    answers = []
    for item in key["items"]:
        way = (
            0
            if item["left"] == item["right"]
            else (1 if item["right"] == key["systems"][1] else -1)
        )
        score = draw.choice([-3, 3]) if careless else round(way * quality)
        answers.append(score)
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"test": key["test"], "listener": name, "answers": answers}))
    return path


def test_the_page_says_nowhere_which_side_is_which(test: Path) -> None:
    page = test / "page"
    text = (page / "index.html").read_text()
    assert "worse.wav" not in text
    assert "better" not in text.replace("Which sounds better?", "").replace("much better", "")
    count = text.count("<audio")
    assert count == len(list(page.glob("*.wav"))) == 2 * text.count("<fieldset>")


def test_sides_and_order_are_the_seeds() -> None:
    lines = [str(n) for n in range(COUNT)]
    assert items_of("a", "b", lines, 1) == items_of("a", "b", lines, 1)
    items = items_of("a", "b", lines, 1)
    assert items != items_of("a", "b", lines, 2)
    assert {item.left for item in items if item.kind == "pair"} == {"a", "b"}
    kinds = [item.kind for item in items]
    assert (kinds.count("pair"), kinds.count("repeat"), kinds.count("same")) == (COUNT, 2, 2)


def test_the_score_is_for_the_second_system_whatever_its_side(test: Path) -> None:
    paths = [answered(test, name, quality) for name, quality in (("ann", 1), ("ben", 2))]
    found = opinion(read_key(test / "key.json"), paths)
    assert found.better.endswith("better")
    assert found.cmos.value == 1.5
    assert found.cmos.low >= 1
    assert (found.preferred, found.tied, found.rejected) == (100, 0, 0)
    assert found.listeners == 2


def test_careless_listeners_are_left_out_and_named(test: Path) -> None:
    paths = [answered(test, "ann", 1), answered(test, "max", 1, careless=True)]
    found = opinion(read_key(test / "key.json"), paths)
    assert found.listeners == 1
    assert found.left_out == {"max": "hears differences between a clip and itself"}
    with pytest.raises(CorpusError, match="no answers are left of 1 listeners"):
        opinion(read_key(test / "key.json"), paths[1:])


def test_answers_that_are_given_twice_are_refused(test: Path) -> None:
    path = answered(test, "ann", 1)
    with pytest.raises(CorpusError, match=r"again, which would count as two listeners"):
        opinion(read_key(test / "key.json"), [path, path])
    copy = path.with_name("copy.json")
    copy.write_text(path.read_text())
    with pytest.raises(CorpusError, match=r"copy.json.*ann.json"):
        opinion(read_key(test / "key.json"), [path, copy])


def test_the_command_sums_up(test: Path) -> None:
    arguments = ["listening", str(answered(test, "ann", 1)), "--key", str(test / "key.json")]
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert "CMOS +1.00" in done.stdout
    assert "preferred 100 %" in done.stdout
    told = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False).stdout
    assert json.loads(told)["cmos"]["value"] == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot read answers"),
        ('{"listener": "a", "answers": [1]}', "of another test"),
    ],
)
def test_answers_that_cannot_be_are_refused(test: Path, content: str, message: str) -> None:
    path = test / "a.json"
    path.write_text(content)
    with pytest.raises(CorpusError, match=message):
        opinion(read_key(test / "key.json"), [path])


def test_two_folders_are_needed(tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("One.\n")
    told = ["--wavs", "a", "--sentences", str(tmp_path / "lines.txt"), "-o", str(tmp_path)]
    with pytest.raises(ConfigError, match="two folders, not 1; give --wavs twice, or"):
        CliRunner().invoke(app, ["blind", *told], catch_exceptions=False)
