"""The times between which a flow is followed in Euler steps, whatever the engine; no torch here."""

import math


def cosine_times(steps: int) -> list[float]:
    """Times of the flow from 0 to 1, one more than steps, closer together at the start."""
    return [1 - math.cos(math.pi / 2 * step / steps) for step in range(steps + 1)]


def even_times(steps: int) -> list[float]:
    """Times of a mean flow from 0 to 1, one more than steps, equally far apart."""
    return [step / steps for step in range(steps + 1)]
