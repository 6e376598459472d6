"""Batches made ahead are those made when they are asked for."""

import os
import signal

import pytest

from mamtra.recipes.nano.ahead import Ahead


def doubled(number: int) -> list[int]:
    return [number, 2 * number]


@pytest.mark.parametrize("workers", [0, 2])
def test_the_batch_of_a_number_is_the_same_whoever_makes_it(workers: int) -> None:
    ahead = Ahead(doubled, workers)
    numbers = [5, 6, 7, 3, 4, 4, 1_000_000, 5]
    assert [ahead.at(number) for number in numbers] == [doubled(number) for number in numbers]


def who(number: int) -> list[int]:
    return [number, os.getpid()]


def test_workers_outlive_an_interrupt_that_asks_the_run_to_stop() -> None:
    ahead = Ahead(who, 1)
    _, worker = ahead.at(0)
    os.kill(worker, signal.SIGINT)
    assert [ahead.at(number) for number in range(1, 20)] == [[n, worker] for n in range(1, 20)]
