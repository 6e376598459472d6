"""Rates and their intervals."""

import io

import numpy as np
import pytest
from rich.console import Console

from mamtra.evaluation.report import Interval, interval, rates, shown, table


def test_the_rate_is_all_wrong_words_over_all_words() -> None:
    found = interval([1, 0, 3], [10, 5, 5])
    assert found.percent == 20
    assert found.low <= found.percent <= found.high


def test_the_same_seed_gives_the_same_interval() -> None:
    wrong, words = [1, 0, 2, 4, 0, 1], [5, 6, 7, 8, 9, 10]
    assert interval(wrong, words, seed=1) == interval(wrong, words, seed=1)
    assert interval(wrong, words, seed=1) != interval(wrong, words, seed=2)


def test_sentences_that_are_all_alike_leave_no_doubt() -> None:
    assert interval([2] * 9, [8] * 9) == Interval(percent=25.0, low=25.0, high=25.0)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    draw = np.random.default_rng(0)
    covered = 0
    for seed in range(60):
        wrong = draw.binomial(8, 0.2, size=50)
        found = interval(wrong.tolist(), [8] * 50, seed)
        covered += found.low <= 20 <= found.high
    assert covered >= 50


def test_differences_may_be_negative_and_keep_their_sign() -> None:
    found = interval([-1, -1, 0, -2], [5, 5, 5, 5])
    assert found.percent == -20
    assert found.high <= 0
    assert shown({"percent": 2.0, "low": -1.0, "high": 5.0}, "+") == "+2.0 (-1..+5)"


def test_every_form_of_the_judge_has_its_rate() -> None:
    found = rates([{"default": 1, "choice": 0}, {"default": 0, "choice": 0}], [4, 4])
    assert found["default"]["percent"] == pytest.approx(12.5)
    assert found["choice"]["high"] == 0


def test_the_table_has_a_row_for_each_result() -> None:
    rate = {"percent": 6.1, "low": 4.0, "high": 8.2}
    result = {
        "voice": "slt",
        "stage": "source",
        "sentences": 60,
        "wer": {"default": rate},
        "above_source": None,
        "degenerate_percent": 0.0,
        "retried_percent": 0.0,
        "times_real_time": None,
    }
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(
        table([result, result | {"stage": "copy", "above_source": {"default": rate}}], "t")
    )
    text = console.export_text()
    assert "6.1 (4..8)" in text
    assert "+6.1 (+4..+8)" in text
