"""Draws of torch's generator: what the original code draws, for comparing ids with it."""

import numpy as np
import torch

from mamtra.generation.randomness import RandomSource


class TorchSource:
    """A random source that draws as ``torch.multinomial`` does: each entry waits for an exponential
    time with its weight as rate, and the first one wins.
    """

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def index(self, weights: np.ndarray) -> int:
        waits = torch.empty(len(weights)).exponential_(generator=self.generator)
        return int((torch.from_numpy(weights).float() / waits).argmax())


def seeded_as_the_original(seed: int) -> RandomSource:
    return TorchSource(seed)
