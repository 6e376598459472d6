"""Sampling against the original's draws, and row by row against batches."""

import numpy as np
import pytest
import torch
from reference import values_of

from mamtra.errors import ConfigError, GenerationError
from mamtra.generation.sampling import (
    SamplingConfig,
    choose,
    draw,
    is_recent,
    keep_most_probable,
    seeded,
)

RAS = SamplingConfig()
FREE: list[list[int]] = [[]]  # nothing is forbidden


@pytest.fixture(scope="module")
def distributions():
    generator = np.random.default_rng(51)
    drawn = [generator.standard_normal(6564) * (1 + row) for row in range(8)]
    return torch.tensor(np.stack(drawn), dtype=torch.float32).log_softmax(-1)


def test_draws_equal_the_original_for_every_seed(distributions):
    values = values_of("sampling_ras")
    for case in range(32):
        row = values[f"rows.{case}.i"]
        history = values[f"rows.{case}.decoded"]
        wanted = values[f"rows.{case}.ids"]
        generators = [seeded(seed) for seed in range(len(wanted))]
        logits = distributions[row].expand(len(wanted), -1)
        assert (
            choose(logits, FREE * len(wanted), [history] * len(wanted), generators, RAS) == wanted
        ), case


def test_a_row_of_a_batch_draws_what_it_would_draw_alone(distributions):
    histories = [[index] * 12 for index in range(8)]
    together = [seeded(seed) for seed in range(8)]
    alone = [seeded(seed) for seed in range(8)]
    for _ in range(5):
        batch = choose(distributions, FREE * 8, histories, together, RAS)
        singles = [
            choose(distributions[row : row + 1], FREE, histories[row : row + 1], [alone[row]], RAS)[
                0
            ]
            for row in range(8)
        ]
        assert batch == singles


def test_greedy_takes_the_most_probable_id(distributions):
    greedy = SamplingConfig(method="greedy")
    chosen = choose(distributions, FREE * 8, [[]] * 8, [seeded(0)] * 8, greedy)
    assert chosen == distributions.argmax(-1).tolist()


def test_ids_are_kept_until_their_probability_suffices():
    probabilities = torch.tensor([[0.1, 0.5, 0.3, 0.1], [0.97, 0.01, 0.01, 0.01]])
    (first, ids), (second, _) = keep_most_probable(probabilities, top_p=0.8, top_k=25)
    assert ids == [1, 2]
    assert (first[0], len(second)) == (0.5, 1)
    kept = keep_most_probable(probabilities, top_p=1.0, top_k=3)
    assert [len(ids) for _, ids in kept] == [3, 3]


def test_a_recent_id_is_drawn_again_from_the_others():
    logits = torch.tensor([[9.0, 0.0, 0.0]])
    assert choose(logits, FREE, [[]], [seeded(0)], RAS) == [0]
    again = {choose(logits, FREE, [[0]], [seeded(seed)], RAS)[0] for seed in range(20)}
    assert again == {1, 2}
    assert choose(logits, FREE, [[0] + [1] * 10], [seeded(0)], RAS) == [0]
    top = SamplingConfig(method="top")
    assert choose(logits, FREE, [[0]], [seeded(0)], top) == [0]


def test_the_only_possible_id_may_repeat():
    logits = torch.tensor([[0.0, -torch.inf, -torch.inf]])
    assert choose(logits, FREE, [[0]], [seeded(0)], RAS) == [0]


def test_recent_means_within_the_window():
    assert is_recent(5, [5, *range(10, 19)], RAS)
    assert not is_recent(5, [5, *range(10, 20)], RAS)


def test_temperature_flattens():
    logits = torch.tensor([[4.0, 0.0]])
    cold, hot = SamplingConfig(temperature=0.2), SamplingConfig(temperature=50.0, top_p=1.0)
    draws = {
        name: sum(choose(logits, FREE, [[]], [seeded(seed)], config)[0] for seed in range(100))
        for name, config in {"cold": cold, "hot": hot}.items()
    }
    assert draws["cold"] == 0
    assert 30 < draws["hot"] < 70


def test_forbidden_ids_are_never_drawn():
    logits, forbidden = torch.zeros(2, 4), [[0, 1], [2, 3]]
    drawn = [
        choose(logits, forbidden, [[], []], [seeded(seed), seeded(seed + 99)], RAS)
        for seed in range(30)
    ]
    assert not logits.any()
    assert {row[0] for row in drawn} == {2, 3}
    assert {row[1] for row in drawn} == {0, 1}


def test_logits_that_are_not_numbers_are_an_error():
    with pytest.raises(GenerationError, match="not numbers"):
        choose(torch.full((1, 5), torch.nan), FREE, [[]], [seeded(0)], RAS)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"temperature": 0.0}, "greedy"),
        ({"top_p": 0.0}, "top_p"),
        ({"method": "best"}, "repetition-aware, top, greedy"),
        ({"window": 0}, "window"),
    ],
)
def test_a_config_that_cannot_work_says_so(wrong, told):
    with pytest.raises(ConfigError, match=told):
        SamplingConfig(**wrong)


def test_drawing_equals_multinomial():
    weights = torch.rand(25, generator=seeded(7))
    for seed in range(50):
        wanted = torch.multinomial(weights, 1, replacement=True, generator=seeded(seed))
        assert draw(weights, seeded(seed)) == int(wanted)
