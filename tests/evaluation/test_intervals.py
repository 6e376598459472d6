"""Rates, their intervals, and differences between two systems."""

import numpy as np
import pytest

from mamtra.evaluation.intervals import Interval, difference, interval, sign_test


def test_the_rate_is_all_wrong_words_over_all_words() -> None:
    found = interval([1, 0, 3], [10, 5, 5])
    assert found.value == 0.2
    assert found.low <= found.value <= found.high


def test_without_weights_it_is_the_mean() -> None:
    assert interval([0.1, 0.3, 0.2]).value == pytest.approx(0.2)


def test_the_same_seed_gives_the_same_interval() -> None:
    wrong, words = [1, 0, 2, 4, 0, 1], [5, 6, 7, 8, 9, 10]
    assert interval(wrong, words, seed=1) == interval(wrong, words, seed=1)
    assert interval(wrong, words, seed=1) != interval(wrong, words, seed=2)


def test_sentences_that_are_all_alike_leave_no_doubt() -> None:
    assert interval([2] * 9, [8] * 9) == Interval(value=0.25, low=0.25, high=0.25)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    draw = np.random.default_rng(0)
    covered = 0
    for seed in range(60):
        wrong = draw.binomial(8, 0.2, size=50)
        found = interval(wrong.tolist(), [8] * 50, seed)
        covered += found.low <= 0.2 <= found.high
    assert 50 <= covered < 60


def test_a_difference_keeps_its_sign_and_counts_who_was_better() -> None:
    found = difference([0, 0, 1, 0], [1, 1, 1, 2], [5, 5, 5, 5])
    assert found.interval.value == -0.2
    assert found.interval.high <= 0
    assert (found.better, found.worse) == (3, 0)
    assert found.interval.signed.startswith("-0.20")


def test_more_sentences_show_smaller_differences() -> None:
    draw = np.random.default_rng(1)
    one, two = draw.normal(size=400), draw.normal(size=400)
    few, many = (difference(one[:n].tolist(), two[:n].tolist()).detectable for n in (25, 400))
    assert few / many == pytest.approx(4, rel=0.3)


def test_what_nowhere_differs_does_not_show_differences_of_nothing() -> None:
    assert difference([0, 0, 1], [0, 0, 1], [5, 5, 5]).detectable == float("inf")


def test_a_true_difference_as_large_as_the_detectable_one_is_seen_four_times_out_of_five() -> None:
    draw, seen = np.random.default_rng(2), 0
    size = difference(draw.normal(size=100).tolist(), [0.0] * 100).detectable
    for seed in range(100):
        found = difference((draw.normal(size=100) + size).tolist(), [0.0] * 100, seed=seed)
        seen += found.interval.low > 0
    assert 65 <= seen <= 95


@pytest.mark.parametrize(
    ("better", "worse", "probability"), [(0, 0, 1.0), (5, 5, 1.0), (0, 5, 0.0625), (10, 0, 0.002)]
)
def test_the_sign_test_is_the_binomial_one(better: int, worse: int, probability: float) -> None:
    assert sign_test(better, worse) == pytest.approx(probability, abs=5e-4)
