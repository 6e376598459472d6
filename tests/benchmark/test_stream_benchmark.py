"""What a player hears of a stream, and the figures made of it."""

from pathlib import Path

import numpy as np
import pytest

import mamtra
from mamtra.benchmark.speak.sentence import listen, measure_warm
from mamtra.synthesis.stream import AudioPiece


def piece(seconds: float) -> AudioPiece:
    return AudioPiece(samples=np.zeros(round(seconds * 100), np.float32), rate=100, piece=0)


def test_the_longest_wait_is_that_of_a_player_who_begins_at_once() -> None:
    times = iter([0.0, 1.0, 1.5, 2.0, 4.5, 5.0])
    flow = [piece(1.0), piece(0.0), piece(0.5), piece(1.0)]
    busy = iter([3.0, 3.25])
    first, worked, whole, heard, wait, count = listen(flow, lambda: next(times), lambda: next(busy))
    assert (first, worked, whole, heard, count) == (1.0, 0.25, 5.0, 2.5, 3)
    # 1.5 s of sound begin at 1.0 and end at 2.5; the last piece comes at 4.5
    assert wait == pytest.approx(2.0)


def test_results_tell_ratios_of_stream_and_say(tiny_model_folder: Path) -> None:
    results = measure_warm(mamtra.load(tiny_model_folder), "Hello there.", runs=2)
    assert list(results) == ["warm say", "stream"]
    stream = results["stream"]
    assert 0 < stream["first_audio_of_say"]["least"] <= stream["first_audio_of_say"]["most"]
    assert stream["first_audio_cpu_seconds"]["least"] > 0
    assert stream["real_time_factor"]["whole"]["median"] > 0
    assert stream["mel_distance"]["absolute"] >= 0
