"""Speech ids drawn by a thread of their own, while those before become sound."""

import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TypeVar

Record = TypeVar("Record")


def one_by_one(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Each record as it is drawn."""
    return ([record] for record in records)


@dataclass(frozen=True, slots=True)
class End:
    """No more records will come; perhaps because of a problem."""

    problem: BaseException | None = None


@contextmanager
def drawn_ahead(records: Iterator[Record]) -> Iterator[Iterator[list[Record]]]:
    """Lists of records that came since the last look, none of them empty.

    The records are drawn by a thread that is ended with the ``with`` block; what it fails with is
    raised after those that came before.
    """
    ready, left = SimpleQueue[Record | End](), threading.Event()

    def draw() -> None:
        """In the thread."""
        end = End()
        try:
            for record in records:
                ready.put(record)
                if left.is_set():
                    break
            if isinstance(records, Generator):
                records.close()
        except BaseException as problem:  # handed on to the thread that waits for records
            end = End(problem)
        ready.put(end)

    def groups() -> Iterator[list[Record]]:
        """In the caller's thread."""
        end = None
        while end is None:
            came = [ready.get(), *(ready.get() for _ in range(ready.qsize()))]
            end = came[-1] if isinstance(came[-1], End) else None
            group = [record for record in came if not isinstance(record, End)]
            if group:
                yield group
        if end.problem is not None:
            raise end.problem

    thread = threading.Thread(target=draw, name="language", daemon=True)
    thread.start()
    try:
        yield groups()
    finally:
        left.set()
        thread.join()
