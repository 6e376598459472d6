"""Where a row's draws come from: one source of randomness, made from a seed."""

from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float

SOONEST = 1e-45  # the least time above zero that float32 knows


@runtime_checkable
class RandomSource(Protocol):
    """Draws for one row of a generation."""

    def index(self, weights: Float[np.ndarray, " _weights"]) -> int:
        """The index of one entry, drawn in proportion to the weights."""
        ...


class TorchSource:
    """Draws of torch's generator, in the way of ``torch.multinomial``."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def index(self, weights: Float[np.ndarray, " _weights"]) -> int:
        """The index of one entry, drawn in proportion to the weights."""
        waits = torch.empty(len(weights)).exponential_(generator=self.generator).numpy()
        return int((weights.astype(np.float32) / np.maximum(waits, np.float32(SOONEST))).argmax())


def seeded(seed: int) -> RandomSource:
    """A source that belongs to one row; the same on every machine."""
    return TorchSource(seed)
