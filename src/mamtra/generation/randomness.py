"""Where draws come from: one source of randomness for each row and each piece, made from a seed.

The generator is the Mersenne Twister as numpy's ``RandomState`` seeds and reads it. Its stream is
frozen for ever (NEP 19) and short to write in another language, so a seed means the same speech on
every engine.
"""

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

WORD = 1 << 32


@runtime_checkable
class RandomSource(Protocol):
    """Draws for one row of a generation."""

    def index(self, weights: Float[np.ndarray, " _weights"]) -> int:
        """The index of one entry, drawn in proportion to the weights."""
        ...


def random_state(seed: int) -> np.random.RandomState:
    """The generator of a seed; one beyond 32 bits is given as its lower and its upper word."""
    words = seed if seed < WORD else [seed % WORD, seed // WORD % WORD]
    return np.random.RandomState(words)


class SeededSource:
    """Draws by the inverse of the cumulative weights: one uniform number in float64 for each."""

    def __init__(self, seed: int) -> None:
        self.state = random_state(seed)

    def index(self, weights: Float[np.ndarray, " _weights"]) -> int:
        """The index of one entry, drawn in proportion to the weights."""
        ends = np.cumsum(weights, dtype=np.float64)
        share = float(self.state.random_sample() * ends[-1])
        # the product may round up to the sum itself, which belongs to the last entry with a weight
        side = "right" if share < ends[-1] else "left"
        return ends.searchsorted(share, side=side).item()

    def uniforms(self, count: int) -> Float[np.ndarray, " count"]:
        """The numbers from 0 to 1 that the next draws would use, one each."""
        return self.state.random_sample(count)


def seeded(seed: int) -> RandomSource:
    """A source that belongs to one row."""
    return SeededSource(seed)
