"""mamtra bench stream: what a player would hear, and the row."""

import json
from pathlib import Path

import numpy as np
import pytest

import mamtra
from mamtra.benchmark.stream import listen, measure
from mamtra.cli.main import main
from mamtra.synthesis.stream import AudioPiece


def piece(seconds: float) -> AudioPiece:
    return AudioPiece(samples=np.zeros(round(seconds * 100), np.float32), rate=100, piece=0)


def test_the_longest_wait_is_that_of_a_player_who_begins_at_once() -> None:
    times = iter([0.0, 1.0, 1.5, 2.0, 4.5, 5.0])
    flow = [piece(1.0), piece(0.0), piece(0.5), piece(1.0)]
    first, whole, heard, wait, count = listen(flow, lambda: next(times))
    assert (first, whole, heard, count) == (1.0, 5.0, 2.5, 3)
    # 1.5 s of sound begin at 1.0 and end at 2.5; the last piece comes at 4.5
    assert wait == pytest.approx(2.0)


def test_the_row_tells_ratios_of_stream_and_say(tiny_model_folder: Path) -> None:
    row = measure(mamtra.load(tiny_model_folder), "Hello there.", runs=2)
    assert row["benchmark"] == "stream"
    assert row["model"] == "tiny"
    assert 0 < row["first_audio_of_say"]["least"] <= row["first_audio_of_say"]["most"]
    assert row["real_time_factor"]["median"] > 0
    assert row["mel_distance"]["absolute"] >= 0


def test_the_command_adds_a_row_with_its_origin(
    tiny_model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "stream.jsonl"
    told = ["--model", str(tiny_model_folder), "--text", "Hello.", "--runs", "1", "-o", str(path)]
    with pytest.raises(SystemExit) as caught:
        main(["bench", "stream", *told])
    assert not caught.value.code
    assert json.loads(path.read_text()) == json.loads(capsys.readouterr().out)
    assert json.loads(path.read_text())["provenance"]["seed"] == 0
