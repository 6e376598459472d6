"""Sentences said as a stream, and how far they are from their offline form."""

from pathlib import Path

import numpy as np
import pytest

import mamtra
from mamtra.evaluation.line_set import plain_set
from mamtra.evaluation.streamed import StreamingModel, differences


def test_a_stream_is_judged_joined_and_is_its_offline_form(tiny_model_folder: Path) -> None:
    synthesizer = mamtra.load(tiny_model_folder)
    system = StreamingModel(synthesizer, seed=3)
    assert system.from_offline() == {"sentences": 0}
    (line,) = plain_set("one", ["It was fine."]).lines
    clip = system.speak(line, 0)
    assert clip.seconds == pytest.approx(synthesizer.say(line.text, seed=3).seconds, abs=0.1)
    told = system.from_offline()
    assert told["sentences"] == 1
    assert told["largest_relative_rms"] < 1e-3


def test_a_difference_is_told_as_it_is_and_beside_the_loudness() -> None:
    offline = np.array([0.5, -0.5, 0.5, -0.5])
    largest, share = differences(offline + np.array([0.1, 0.0, 0.0, 0.0]), offline)
    assert largest == pytest.approx(0.1)
    assert share == pytest.approx(0.1)
