"""Batches that worker processes make before they are asked for, so that a GPU need not wait.

A batch is drawn from its number alone, so it is the same whoever makes it. The loop asks for
numbers in order; asked for another one, the workers begin anew there.
"""

import signal
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from torch.utils.data import DataLoader, Dataset

Made = TypeVar("Made")
WORKERS = 4
LAST = 1 << 40  # beyond any run's last batch


class Numbered(Dataset, Generic[Made]):
    """What a function makes of each number."""

    def __init__(self, make: Callable[[int], Made]) -> None:
        self.make = make

    def __getitem__(self, index: int) -> Made:
        return self.make(index)


def leave_stopping(_: int) -> None:
    """Let the loop decide when a run stops: Ctrl-C reaches every process of a terminal."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class Ahead(Generic[Made]):
    """Gives the batch of a number, made now or ahead of time.

    Args:
        make: makes the batch of a number, on the CPU.
        workers: processes that make batches ahead; 0 makes each when it is asked for.
    """

    def __init__(self, make: Callable[[int], Made], workers: int = 0) -> None:
        self.make, self.workers = make, workers
        self.coming: Iterator[Made] | None = None
        self.next = -1

    def at(self, number: int) -> Made:
        """The batch of a number."""
        if not self.workers:
            return self.make(number)
        if self.coming is None or number != self.next:
            self.coming = iter(
                DataLoader(
                    Numbered(self.make),
                    batch_size=None,
                    sampler=range(number, LAST),
                    num_workers=self.workers,
                    prefetch_factor=4,
                    worker_init_fn=leave_stopping,
                )
            )
        self.next = number + 1
        return next(self.coming)


def workers_for(device: str) -> int:
    """How many processes make batches for a device: none for a CPU, which is busy enough."""
    return 0 if device == "cpu" else WORKERS
