"""Seconds between one look and the next."""

import time


class Stopwatch:
    """Seconds between one look and the next; engines answer when their work is done."""

    def __init__(self) -> None:
        self.last = time.perf_counter()

    def lap(self) -> float:
        """Seconds since the last look."""
        before, self.last = self.last, time.perf_counter()
        return self.last - before
