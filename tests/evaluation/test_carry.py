"""Pairs of sentences, judged fresh and carried."""

from pathlib import Path

import numpy as np
import pytest

import mamtra
from mamtra.evaluation.carry import measure, pairs_of

PAIRS = [("Hello there.", "It was fine."), ("We walked.", "She put it down.")]


class Listener:
    """Hears the right words in every second clip and nothing in the others."""

    def __init__(self) -> None:
        self.lengths: list[int] = []

    def hear(self, samples: np.ndarray, rate_hz: int) -> str:
        self.lengths.append(len(samples))
        place = len(self.lengths) - 1
        return PAIRS[place // 2][1].lower().rstrip(".") if place % 2 else ""


def test_sentences_are_paired_and_one_left_over_is_dropped() -> None:
    assert pairs_of(["a", "b", "c", "d", "e"]) == [("a", "b"), ("c", "d")]


def test_the_second_of_each_pair_is_judged_in_both_ways(tiny_model_folder: Path) -> None:
    pytest.importorskip("jiwer")
    judge = Listener()
    figures = measure(mamtra.load(tiny_model_folder), PAIRS, {"default": judge})
    assert len(judge.lengths) == 4
    assert (figures["pairs"], figures["words"]) == (2, 7)
    assert figures["wer"]["fresh"]["default"]["percent"] == 100
    assert figures["wer"]["carry"]["default"]["percent"] == 0
    assert figures["carry_above_fresh"]["default"]["percent"] == -100
    assert set(figures["ended_by_itself"]) == {"fresh", "carry"}
