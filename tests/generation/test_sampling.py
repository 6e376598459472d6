"""Sampling against the original's draws, and row by row against batches."""

from collections.abc import Sequence

import numpy as np
import pytest
from reference import values_of
from torch_draws import seeded_as_the_original

from mamtra.errors import ConfigError, GenerationError
from mamtra.generation.randomness import seeded
from mamtra.generation.sampling import SamplingConfig, choose, is_recent, most_probable, softmax

RAS = SamplingConfig()


def row(*logits: float) -> np.ndarray:
    return np.array(logits, np.float32)


@pytest.fixture(scope="module")
def distributions() -> list[np.ndarray]:
    generator = np.random.default_rng(51)
    drawn = [generator.standard_normal(6564) * (1 + index) for index in range(8)]
    return [np.log(softmax(logits.astype(np.float32))).astype(np.float32) for logits in drawn]


def test_draws_equal_the_original_for_every_seed(distributions: list[np.ndarray]) -> None:
    values = values_of("sampling_ras")
    for case in range(32):
        logits = distributions[values[f"rows.{case}.i"]]
        history, expected = values[f"rows.{case}.decoded"], values[f"rows.{case}.ids"]
        drawn = [
            choose(logits, (), history, seeded_as_the_original(seed), RAS)
            for seed in range(len(expected))
        ]
        assert drawn == expected, case


def test_greedy_takes_the_most_probable_id(distributions: list[np.ndarray]) -> None:
    greedy = SamplingConfig(method="greedy")
    for logits in distributions:
        assert choose(logits, (), (), seeded(0), greedy) == logits.argmax()


def test_ids_are_kept_until_their_probability_suffices() -> None:
    first, second = np.array([0.1, 0.5, 0.3, 0.1]), np.array([0.97, 0.01, 0.01, 0.01])
    assert most_probable(first, top_p=0.8, top_k=25).tolist() == [1, 2]
    assert most_probable(second, top_p=0.8, top_k=25).tolist() == [0]
    for probabilities in (first, second):
        assert len(most_probable(probabilities, top_p=1.0, top_k=3)) == 3


def test_of_equally_probable_ids_the_lower_come_first() -> None:
    assert most_probable(np.full(8, 1 / 8), top_p=1.0, top_k=3).tolist() == [0, 1, 2]


def draws(
    logits: np.ndarray,
    count: int,
    config: SamplingConfig = RAS,
    history: Sequence[int] = (),
    forbidden: Sequence[int] = (),
) -> list[int]:
    return [choose(logits, forbidden, history, seeded(seed), config) for seed in range(count)]


def test_a_recent_id_is_drawn_again_from_the_others() -> None:
    logits = row(9.0, 0.0, 0.0)
    assert draws(logits, 1) == [0]
    assert set(draws(logits, 20, history=[0])) == {1, 2}
    assert draws(logits, 1, history=[0] + [1] * 10) == [0]
    assert draws(logits, 1, SamplingConfig(method="top"), [0]) == [0]


def test_the_only_possible_id_may_repeat() -> None:
    assert draws(row(0.0, -np.inf, -np.inf), 1, history=[0]) == [0]


def test_recent_means_within_the_window() -> None:
    assert is_recent(5, [5, *range(10, 19)], RAS)
    assert not is_recent(5, [5, *range(10, 20)], RAS)


def test_temperature_flattens() -> None:
    logits = row(4.0, 0.0)
    assert sum(draws(logits, 100, SamplingConfig(temperature=0.2))) == 0
    assert 30 < sum(draws(logits, 100, SamplingConfig(temperature=50.0, top_p=1.0))) < 70


def test_ids_are_drawn_as_often_as_they_are_probable() -> None:
    source, config = seeded(1), SamplingConfig(method="top", top_p=1.0)
    logits = np.log(row(0.5, 0.3, 0.15, 0.05))
    drawn = [choose(logits, (), (), source, config) for _ in range(4000)]
    shares = np.bincount(drawn, minlength=4) / len(drawn)
    np.testing.assert_allclose(shares, [0.5, 0.3, 0.15, 0.05], atol=0.03)


def test_forbidden_ids_are_never_drawn() -> None:
    logits = np.zeros(4, np.float32)
    assert set(draws(logits, 30, forbidden=[0, 1])) == {2, 3}
    assert set(draws(logits, 30, forbidden=[2, 3])) == {0, 1}
    assert not logits.any()


@pytest.mark.parametrize("method", ["repetition-aware", "greedy"])
def test_logits_that_are_not_numbers_are_an_error(method: str) -> None:
    with pytest.raises(GenerationError, match="not numbers"):
        choose(row(0.0, np.nan, 1.0), (), (), seeded(0), SamplingConfig(method=method))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"temperature": 0.0}, "greedy"),
        ({"top_p": 0.0}, "top_p"),
        ({"method": "best"}, "repetition-aware, top, greedy"),
        ({"window": 0}, "window"),
        ({"repetition_share": 0.0}, "repetition_share"),
        ({"repetition_penalty": 0.5}, "repetition_penalty"),
    ],
)
def test_a_config_that_cannot_work_says_so(wrong, message) -> None:
    with pytest.raises(ConfigError, match=message):
        SamplingConfig(**wrong)
