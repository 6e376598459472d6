"""Randomness: a frozen stream for each seed, drawn in proportion to the weights."""

import numpy as np
import pytest

from mamtra.generation.randomness import RandomSource, random_state, seeded

WEIGHTS = np.array([0.0, 0.2, 0.0, 0.5, 0.3, 0.0])


@pytest.mark.parametrize(
    ("seed", "first"),
    [
        # one word seeds by init_genrand, two by init_by_array
        (0, [0.5488135039273248, 0.7151893663724195]),
        (7, [0.07630828937395717, 0.7799187922401146]),
        (2**32 - 1, [0.0976320289940138, 0.9123828453026218]),
        (2**32, [0.11299430095636409, 0.41782886486292836]),
        (5 + 2**40, [0.5043802970418443, 0.2686044399723282]),
    ],
)
def test_the_stream_of_a_seed_never_changes(seed: int, first: list[float]) -> None:
    assert random_state(seed).random_sample(2).tolist() == first


def test_an_index_is_drawn_by_the_inverse_of_the_cumulative_weights() -> None:
    source, state = seeded(3), random_state(3)
    assert isinstance(source, RandomSource)
    for _ in range(200):
        share = state.random_sample()
        expected = 1 if share < 0.2 else 3 if share < 0.7 else 4
        assert source.index(WEIGHTS) == expected


class Fixed:
    """Stands for a generator that gives one number."""

    def __init__(self, number: float) -> None:
        self.number = number

    def random_sample(self) -> float:
        return self.number


@pytest.mark.parametrize(("number", "index"), [(0.0, 1), (1.0, 4), (np.nextafter(1.0, 0), 4)])
def test_an_entry_without_weight_is_never_drawn(number: float, index: int) -> None:
    source = seeded(0)
    source.state = Fixed(number)
    assert source.index(WEIGHTS) == index


def test_the_next_seed_draws_otherwise() -> None:
    assert len({seeded(seed).index(np.ones(1000)) for seed in range(50)}) > 40
