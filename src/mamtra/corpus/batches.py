"""Batches drawn from a step's number alone, so that a resumed run sees exactly what it would have
seen.

Items of similar length share a batch, and a batch holds about the same content whatever the length
of its items.
"""

import numpy as np

WINDOW = 6  # a batch is drawn from a window this many times its size in the order of lengths


class LengthBatches:
    """Draws batches of item numbers.

    Args:
        lengths: of every item, in any unit.
        budget: how much a batch holds in that unit, padding included.
        seed: of the whole sequence of batches.
    """

    def __init__(self, lengths: list[int], budget: int, seed: int) -> None:
        self.lengths = np.asarray(lengths)
        self.order = np.argsort(self.lengths, kind="stable")
        self.budget = budget
        self.seed = seed

    def at(self, step: int) -> list[int]:
        """The items of one step; all items are about equally likely."""
        random = np.random.default_rng((self.seed, step))
        centre = int(random.integers(len(self.order)))
        size = max(1, self.budget // int(self.lengths[self.order[centre]]))
        half = size * WINDOW // 2
        low, high = max(0, centre - half), min(len(self.order), centre + half + 1)
        window = self.order[low:high]
        chosen = random.choice(window, size=min(size, len(window)), replace=False)
        room = max(1, self.budget // int(self.lengths[chosen].max()))
        return [int(item) for item in chosen[:room]]
