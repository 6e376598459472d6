"""Sentences judged whole and as a stream."""

from pathlib import Path

import numpy as np
import pytest

import mamtra
from mamtra.evaluation.streamed import differences, measure

SENTENCES = ["It was fine.", "She put it down."]


class Listener:
    """Hears the right words of what was said whole, and nothing in a stream."""

    def __init__(self) -> None:
        self.lengths: list[int] = []

    def hear(self, samples: np.ndarray, rate_hz: int) -> str:
        self.lengths.append(len(samples))
        place = len(self.lengths) - 1
        return "" if place % 2 else SENTENCES[place // 2].lower().rstrip(".")


def test_each_sentence_is_judged_in_both_ways(tiny_model_folder: Path) -> None:
    pytest.importorskip("jiwer")
    judge = Listener()
    figures = measure(mamtra.load(tiny_model_folder), SENTENCES, {"default": judge})
    assert len(judge.lengths) == 4
    assert (figures["sentences"], figures["words"], figures["same_tokens"]) == (2, 7, 2)
    assert figures["wer"]["whole"]["default"]["percent"] == 0
    assert figures["wer"]["stream"]["default"]["percent"] == 100
    assert figures["from_offline"]["largest_relative_rms"] < 1e-3


def test_a_difference_is_told_as_it_is_and_beside_the_loudness() -> None:
    offline = np.array([0.5, -0.5, 0.5, -0.5])
    largest, share = differences(offline + np.array([0.1, 0.0, 0.0, 0.0]), offline)
    assert largest == pytest.approx(0.1)
    assert share == pytest.approx(0.1)
