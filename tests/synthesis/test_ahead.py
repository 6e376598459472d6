"""Records drawn by a thread of their own: the same ones, problems too, and no thread is left."""

import threading
from collections.abc import Iterator

import pytest

from mamtra.synthesis.ahead import drawn_ahead, one_by_one


def language_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "language"]


def test_all_records_come_in_order() -> None:
    with drawn_ahead(iter(range(100))) as groups:
        found = list(groups)
    assert [number for group in found for number in group] == list(range(100))
    assert all(found)
    assert list(one_by_one(range(3))) == [[0], [1], [2]]


def test_records_that_wait_come_together() -> None:
    drawn = threading.Event()

    def records() -> Iterator[int]:
        yield from range(5)
        drawn.set()

    with drawn_ahead(records()) as groups:
        assert drawn.wait(10)
        assert next(groups) == [0, 1, 2, 3, 4]


def test_a_problem_is_raised_after_what_came_before() -> None:
    taken = threading.Event()

    def failing() -> Iterator[int]:
        yield 7
        taken.wait(10)
        raise ValueError("broken")

    with drawn_ahead(failing()) as groups:
        assert next(groups) == [7]
        taken.set()
        with pytest.raises(ValueError, match="broken"):
            next(groups)


def test_who_leaves_early_ends_the_thread_and_closes_the_generator() -> None:
    closed = threading.Event()

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    with drawn_ahead(endless()) as groups:
        assert next(groups)[0] == 1
    assert closed.is_set()
    assert not language_threads()
