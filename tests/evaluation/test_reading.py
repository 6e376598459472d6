"""Calibrating the guard against skipped words, with a judge that hears what it is told."""

import json
import shutil
from pathlib import Path

import pytest
from exit_code import ended

pytest.importorskip("jiwer")

import mamtra
from mamtra.checkpoints.checksums import damaged_files, write_checksums
from mamtra.evaluation import reading
from mamtra.evaluation.judges import registry
from mamtra.evaluation.judges.judge import Identity
from mamtra.evaluation.reading import (
    DROPPED,
    RIGHT,
    HeardWord,
    Spoken,
    at_threshold,
    best_threshold,
    calibrate,
    rank_heads,
)
from mamtra.generation.generate import Generation


class Deaf:
    """A judge that hears the first word only."""

    identity = Identity(name="deaf", package="tests", version="1")

    def hear(self, samples: object, rate_hz: int) -> str:
        return "hello"


def spoken(*words: tuple[float, str]) -> Spoken:
    heard = [HeardWord(ids=5, look=look, heard=mark) for look, mark in words]
    return Spoken(Generation((1,), "end", 0, 1), heard, 0.1)


def test_a_threshold_lies_below_what_is_heard() -> None:
    said = [spoken((1.5, RIGHT), (0.1, DROPPED)), spoken((0.9, RIGHT), (1.1, RIGHT))]
    rows = [at_threshold(said, least, shortest=4) for least in (0.2, 0.8, 1.0)]
    assert rows[0]["words"] == {RIGHT: [0, 3], "other": [0, 0], DROPPED: [1, 1]}
    assert rows[2]["sentences_without"] == [1, 1]
    assert best_threshold(rows) == 0.2
    said.append(spoken((0.5, DROPPED), (1.2, RIGHT)))  # the lowest that finds both
    rows = [at_threshold(said, least, shortest=4) for least in (0.2, 0.7, 0.8, 1.0)]
    assert best_threshold(rows) == 0.7


def test_a_model_is_calibrated_as_a_whole(tiny_model_folder: Path) -> None:
    synthesizer = mamtra.load(tiny_model_folder, engine="torch")
    speaker = synthesizer.speaker()
    heads = rank_heads(speaker, ["Hello there you."], seed=1)
    assert [(head.layer, head.head) for head in heads] in ([(0, 0), (0, 1)], [(0, 1), (0, 0)])
    found = calibrate(speaker, ["Hello there.", "Hello you and me."], Deaf(), 1, heads=heads)
    assert found["before"]["dropped_words"] == 4
    assert found["reading"]["layer"] == 0
    assert found["after"]["sentences"] == 2


def test_a_sentence_of_which_nothing_is_said_counts_as_dropped(
    tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speaker = mamtra.load(tiny_model_folder, engine="torch").speaker()
    nothing = Generation((), "end", 0, 1)
    monkeypatch.setattr(reading, "generate", lambda *_: nothing)
    said = reading.speak(speaker, "Hello there.", Deaf(), 1, attempts=1)
    assert said is not None
    assert said.dropped == 2


def test_a_judge_that_hears_no_words_is_refused(
    tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(registry, "open_judge", lambda *_: object())
    told = ["evaluate", "reading", "--model", str(tiny_model_folder), "--judge", "distillmos"]
    assert ended(told) == 3
    assert "'distillmos' hears no words" in capsys.readouterr().err


def test_the_command_writes_the_models_config(
    tiny_model_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = shutil.copytree(tiny_model_folder, tmp_path / "model")
    write_checksums(model)
    monkeypatch.setattr(registry, "open_judge", lambda *_: Deaf())
    rows = tmp_path / "rows.jsonl"
    told = ["--model", str(model), "--limit", "2", "--together", "1", "--write", "-o", str(rows)]
    assert ended(["evaluate", "reading", *told]) == 0
    assert "before sentences 2" in capsys.readouterr().out
    row = json.loads(rows.read_text())
    assert json.loads((model / "config.json").read_text())["reading"] == row["reading"]
    assert mamtra.load(model).model.speech_model.reading is not None
    assert damaged_files(model) == []
    assert ended(["evaluate", "reading", *told[:6], "--keep"]) == 0
    assert json.dumps(row["reading"]) in capsys.readouterr().out


def test_a_model_without_a_reading_head_has_nothing_to_be_kept(
    tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(registry, "open_judge", lambda *_: Deaf())
    assert ended(["evaluate", "reading", "--model", str(tiny_model_folder), "--keep"]) == 3
    assert "has no section 'reading'" in capsys.readouterr().err
