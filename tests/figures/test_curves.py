"""Curves are read from the logs as they are, and the rows lie beside the picture."""

import json

import pytest

from mamtra.errors import TrainingError
from mamtra.figures.curves import curve, draw_curves

LINES = [{"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.0}, {"step": 2, "validation": 2.5}]


def write_log(folder, lines) -> None:
    folder.mkdir()
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_step_that_was_done_twice_counts_once(tmp_path) -> None:
    write_log(tmp_path / "run", [*LINES, {"step": 2, "loss": 1.5}])
    assert curve(tmp_path / "run", "loss") == [(1, 3.0), (2, 1.5)]
    assert curve(tmp_path / "run", "validation") == [(2, 2.5)]


def test_an_unknown_value_lists_those_there_are(tmp_path) -> None:
    write_log(tmp_path / "run", LINES)
    with pytest.raises(TrainingError, match="loss, validation"):
        curve(tmp_path / "run", "accuracy")
    with pytest.raises(TrainingError, match="no training log"):
        curve(tmp_path / "other", "loss")


def test_picture_and_rows_are_written(tmp_path) -> None:
    pytest.importorskip("matplotlib")
    write_log(tmp_path / "one", LINES)
    write_log(tmp_path / "two", LINES)
    runs = {"one": tmp_path / "one", "two": tmp_path / "two"}
    draw_curves(runs, "loss", tmp_path / "c.png", {"teacher": 1.8}, {"seed": 0})
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    rows = json.loads((tmp_path / "c.json").read_text())
    assert rows["curves"]["two"] == [[1, 3.0], [2, 2.0]]
    assert rows["seed"] == 0
