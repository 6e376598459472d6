"""How sure a mean over sentences is: bootstrap intervals, paired differences, a sign test.

Sentences are drawn again and again with replacement, because the words of one sentence are not
independent. Two systems that spoke the same sentences are compared sentence by sentence, which is
much sharper than comparing their means.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np

Numbers = Sequence[float | int]

DRAWS = 10_000
BLOCK = 500  # draws computed at once, so that memory stays small for large sets
CONFIDENCE = 95.0  # percent
NORMAL_95, NORMAL_80 = 1.96, 0.84  # quantiles: of the interval, and of a chance of 80 % to see it


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A value and where it would lie with other sentences of the same kind."""

    value: float
    low: float
    high: float

    def times(self, factor: float) -> "Interval":
        """The same in another unit."""
        return Interval(value=factor * self.value, low=factor * self.low, high=factor * self.high)

    @property
    def signed(self) -> str:
        """As text, with its sign."""
        return f"{self.value:+.2f} ({self.low:+.2f} to {self.high:+.2f})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One system against another on the same sentences.

    Attributes:
        interval: of the mean difference, in the units of the values.
        better, worse: sentences with a smaller and with a larger value than the other system's.
        sign_p: two-sided probability of such a split if neither were better.
        detectable: the smallest true difference that this many sentences would show four times out
            of five; infinite where sentences are too few, or all apart alike, to tell.
    """

    interval: Interval
    better: int
    worse: int
    sign_p: float
    detectable: float


def interval(values: Numbers, weights: Numbers | None = None, seed: int = 0) -> Interval:
    """The sum of values over the sum of weights (without them, the mean), with its interval.

    Args:
        values: one of each sentence.
        weights: such as its words; at least one is not 0.
        seed: of the sentences drawn.
    """
    tops = np.asarray(values, float)
    bottoms = np.ones_like(tops) if weights is None else np.asarray(weights, float)
    draw, means = np.random.default_rng(seed), []
    for _ in range(DRAWS // BLOCK):
        chosen = draw.integers(len(tops), size=(BLOCK, len(tops)))
        means.append(tops[chosen].sum(1) / np.maximum(bottoms[chosen].sum(1), 1e-9))
    tail = (100 - CONFIDENCE) / 2
    low, high = np.percentile(np.concatenate(means), [tail, 100 - tail])
    return Interval(
        value=round(float(tops.sum() / bottoms.sum()), 4),
        low=round(float(low), 4),
        high=round(float(high), 4),
    )


def sign_test(better: int, worse: int) -> float:
    """Two-sided probability of a split at least so uneven among sentences that differ."""
    count, smaller = better + worse, min(better, worse)
    if not count:
        return 1.0
    return min(1.0, 2 * sum(comb(count, k) for k in range(smaller + 1)) / 2**count)


def difference(
    values: Numbers,
    others: Numbers,
    weights: Numbers | None = None,
    seed: int = 0,
) -> Difference:
    """Values of one system less those of another on the same sentences; smaller is better.

    Args:
        values, others: one of each sentence, in the same order.
        weights: as for ``interval``.
        seed: of the sentences drawn.
    """
    apart = np.asarray(values, float) - np.asarray(others, float)
    scale = 1.0 if weights is None else float(np.mean(np.asarray(weights, float)))
    error = float(apart.std(ddof=1)) / len(apart) ** 0.5 / scale if len(apart) > 1 else float("inf")
    better, worse = int((apart < 0).sum()), int((apart > 0).sum())
    return Difference(
        interval=interval(apart.tolist(), weights, seed),
        better=better,
        worse=worse,
        sign_p=round(sign_test(better, worse), 4),
        detectable=round((NORMAL_95 + NORMAL_80) * error, 4) or float("inf"),
    )
