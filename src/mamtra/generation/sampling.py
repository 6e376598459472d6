"""Choosing the next speech id from the model's logits.

Plain functions on logits. Randomness comes from one source per row, which the caller gives, never
from a global one, so a row of a batch draws the same ids as it would alone.

Repetition-aware sampling (CosyVoice 2's): draw from the most probable ids; if the drawn id was
among the last few, forbid it for this step and draw again from everything.

Dtype rule: logits are float32, probabilities float64.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from mamtra.errors import ConfigError, GenerationError
from mamtra.generation.randomness import RandomSource

METHODS = ("repetition-aware", "top", "greedy")
LIKELY = 2**-8  # of the best id's probability: less likely ids are looked at only where needed
NOT_NUMBERS = (
    "the speech model gave logits that are not numbers; "
    "its weights are damaged or its precision is too low"
)
SORTED_AT_ONCE = 8  # times as many as are wanted; of more, the rest is first split off


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingConfig:
    """How ids are drawn; the defaults are CosyVoice 2's.

    Attributes:
        method: ``repetition-aware``; ``top`` draws from the most probable ids and never again;
            ``greedy`` takes the most probable id.
        top_p: ids are kept until their probability reaches this.
        top_k: never more ids than this are kept.
        min_p: ids less probable than this share of the most probable one are left out.
        repetition_penalty: logits of ids that were written before are divided by it, negative ones
            multiplied.
        window: how many of the last ids count as recent.
        repetition_share: a drawn id that fills this share of the window is drawn again.
    """

    method: str = "repetition-aware"
    temperature: float = 1.0
    top_p: float = 0.8
    top_k: int = 25
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    window: int = 10
    repetition_share: float = 0.1

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ConfigError(
                f"sampling method {self.method!r} is unknown; possible are {', '.join(METHODS)}"
            )
        if not self.temperature > 0:
            raise ConfigError(
                f"temperature={self.temperature} must be above 0; "
                f"for the most probable id use method='greedy'"
            )
        if not 0 < self.top_p <= 1 or self.top_k < 1:
            raise ConfigError(
                f"top_p={self.top_p} must lie in (0, 1] and top_k={self.top_k} must be at least 1"
            )
        if not 0 <= self.min_p <= 1 or not self.repetition_penalty >= 1:
            raise ConfigError(
                f"min_p={self.min_p} must lie in [0, 1] "
                f"and repetition_penalty={self.repetition_penalty} must be at least 1"
            )
        if self.window < 1 or not self.repetition_share > 0:
            raise ConfigError(
                f"window={self.window} must be at least 1 "
                f"and repetition_share={self.repetition_share} above 0"
            )


def allowed(
    logits: Float[np.ndarray, " ids"], forbidden: Sequence[int], temperature: float
) -> Float[np.ndarray, " ids"]:
    """Logits over the temperature, float64, with the forbidden ids made impossible."""
    result = logits.astype(np.float64) / temperature
    result[list(forbidden)] = -np.inf
    return result


def penalised(
    logits: Float[np.ndarray, " ids"], history: Sequence[int], penalty: float
) -> Float[np.ndarray, " ids"]:
    """Logits with those of the ids that were written before made less likely."""
    written = sorted(set(history))
    result = logits.copy()
    result[written] = np.where(
        logits[written] < 0, logits[written] * penalty, logits[written] / penalty
    )
    return result


def softmax(logits: Float[np.ndarray, " ids"]) -> Float[np.ndarray, " ids"]:
    """Probabilities that sum to one."""
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def ranked(
    probabilities: Float[np.ndarray, " ids"], among: Int[np.ndarray, " some"], count: int
) -> Int[np.ndarray, " best"]:
    """So many of some ids, the most probable first; of two equal ones the lower id."""
    found = probabilities[among]
    if len(among) > SORTED_AT_ONCE * count:
        among = among[found >= np.partition(found, -count)[-count]]
        found = probabilities[among]
    return among[np.argsort(-found, kind="stable")][:count]


def most_probable(
    probabilities: Float[np.ndarray, " ids"], top_p: float, top_k: int
) -> Int[np.ndarray, " kept"]:
    """The most probable ids, best first; of two with the same probability the lower id.

    Ids are kept while those before them sum to less than ``top_p``, but never more than ``top_k``.
    """
    likely = np.flatnonzero(probabilities >= probabilities.max() * LIKELY)
    order = ranked(probabilities, likely, top_k)
    sums = np.cumsum(probabilities[order])
    if len(order) < top_k and sums[-1] < top_p:
        order = ranked(probabilities, np.arange(len(probabilities)), top_k)
        sums = np.cumsum(probabilities[order])
    return order[: 1 + int(np.searchsorted(sums[:-1], top_p))]


def is_recent(chosen: int, history: Sequence[int], config: SamplingConfig) -> bool:
    """Whether an id fills its share of the last few."""
    recent = list(history[-config.window :]).count(chosen)
    return recent >= config.window * config.repetition_share


def choose(
    logits: Float[np.ndarray, " ids"],
    forbidden: Sequence[int],
    history: Sequence[int],
    source: RandomSource,
    config: SamplingConfig,
) -> int:
    """Choose the next id of one row.

    Args:
        logits: of the next id.
        forbidden: the ids that may not come next.
        history: the ids that the row has written so far.
        source: of the row's randomness.
        config: how to draw.

    Raises:
        GenerationError: the logits are not numbers.
    """
    if config.repetition_penalty != 1:
        logits = penalised(logits, history, config.repetition_penalty)
    possible = allowed(logits, forbidden, config.temperature)
    if not np.isfinite(possible.max()):
        raise GenerationError(NOT_NUMBERS)
    if config.method == "greedy":
        return int(possible.argmax())
    probabilities = softmax(possible)
    if config.min_p:
        possible[probabilities < config.min_p * probabilities.max()] = -np.inf
        probabilities = softmax(possible)
    kept = most_probable(probabilities, config.top_p, config.top_k)
    drawn = int(kept[source.index(probabilities[kept])])
    if config.method == "repetition-aware" and is_recent(drawn, history, config):
        possible[drawn] = -np.inf
        if np.isfinite(possible.max()):
            drawn = source.index(softmax(possible))
    return drawn
