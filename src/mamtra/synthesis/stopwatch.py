"""Seconds between one look and the next, on a CPU and on a GPU."""

import time

import torch


class Stopwatch:
    """Seconds between one look and the next.

    Args:
        device: what does the work that is timed.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.last = time.perf_counter()

    def lap(self) -> float:
        """Seconds since the last look; waits for a GPU to finish what it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        before, self.last = self.last, time.perf_counter()
        return self.last - before
