"""Choosing the next speech id from the model's logits.

Plain functions on logits. Randomness comes from a generator per row that the caller seeded, never
from a global one, so a row of a batch draws the same ids as it would alone.

Repetition-aware sampling (CosyVoice 2's): draw from the most probable ids; if the drawn id was
among the last few, forbid it for this step and draw again from everything.

Dtype rule: probabilities are float32 whatever the logits are.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mamtra.errors import ConfigError, GenerationError

METHODS = ("repetition-aware", "top", "greedy")
SOONEST = 1e-45  # the least time above zero that float32 knows


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingConfig:
    """How ids are drawn; the defaults are CosyVoice 2's.

    Attributes:
        method: ``repetition-aware``; ``top`` draws from the most probable ids and never again;
            ``greedy`` takes the most probable id.
        top_p: ids are kept until their probability reaches this.
        top_k: never more ids than this are kept.
        window: how many of the last ids count as recent.
        repetition_share: a drawn id that fills this share of the window is drawn again.
    """

    method: str = "repetition-aware"
    temperature: float = 1.0
    top_p: float = 0.8
    top_k: int = 25
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
        if self.window < 1 or not self.repetition_share > 0:
            raise ConfigError(
                f"window={self.window} must be at least 1 "
                f"and repetition_share={self.repetition_share} above 0"
            )


def seeded(seed: int) -> torch.Generator:
    """A generator that belongs to one row; on the CPU, so that a seed means the same everywhere."""
    return torch.Generator().manual_seed(seed)


@functools.lru_cache(maxsize=64)
def penalty(ids: tuple[int, ...], width: int, device: torch.device) -> Float[Tensor, "1 ids"]:
    """Minus infinity at these ids, 0 elsewhere."""
    with torch.inference_mode():
        row = torch.zeros(1, width)
        row[0, list(ids)] = -torch.inf
        return row.to(device)


def forbid(
    logits: Float[Tensor, "batch ids"], rows: Sequence[Sequence[int]], temperature: float = 1.0
) -> Float[Tensor, "batch ids"]:
    """Logits over the temperature in float32, with the listed ids of each row made impossible."""
    kinds = [tuple(row) for row in rows]
    if all(kind == kinds[0] for kind in kinds):
        kinds = kinds[:1]
    width, device = logits.shape[-1], logits.device
    parts = [penalty(kind, width, device) for kind in kinds]
    held = parts[0] if len(parts) == 1 else torch.cat(parts)
    return torch.add(held, logits, alpha=1.0 / temperature)


def keep_most_probable(
    probabilities: Float[Tensor, "batch ids"], top_p: float, top_k: int
) -> list[tuple[list[float], list[int]]]:
    """The most probable ids of each row, best first: their probabilities, and the ids.

    Ids are kept while those before them sum to less than ``top_p``, but never more than ``top_k``.
    Numbers so few are quicker in Python than as tensors; from a GPU they come together.
    """
    values, ids = probabilities.topk(min(top_k, probabilities.shape[-1]))
    if values.device.type != "cpu":
        # float64 holds ids and probabilities without loss
        together = torch.cat([values.double(), ids], dim=-1).cpu()
        values, ids = together.chunk(2, dim=-1)
        ids = ids.long()
    rows = []
    for probable, numbers in zip(values.tolist(), ids.tolist(), strict=True):
        count, before = 0, 0.0
        while count < len(probable) and before < top_p:
            before += probable[count]
            count += 1
        rows.append((probable[:count], numbers[:count]))
    return rows


def draw_among(weights: Sequence[float], generator: torch.Generator) -> int:
    """As ``draw``, for a few weights as plain numbers."""
    waits = torch.empty(len(weights)).exponential_(generator=generator).tolist()
    return max(range(len(weights)), key=lambda index: weights[index] / (waits[index] or SOONEST))


def draw(weights: Float[Tensor, " ids"], generator: torch.Generator) -> int:
    """The index of one entry, drawn in proportion to the weights.

    The index that ``torch.multinomial`` gives for the same generator, in a fifth of its time: it is
    the entry that comes first when each waits for an exponential time with its weight as rate.
    """
    waits = torch.empty_like(weights).exponential_(generator=generator)
    return int((weights / waits).argmax())


def is_recent(chosen: int, history: Sequence[int], config: SamplingConfig) -> bool:
    """Whether an id fills its share of the last few."""
    recent = list(history[-config.window :]).count(chosen)
    return recent >= config.window * config.repetition_share


@torch.inference_mode()
def choose(
    logits: Float[Tensor, "batch ids"],
    forbidden: Sequence[Sequence[int]],
    histories: Sequence[Sequence[int]],
    generators: Sequence[torch.Generator],
    config: SamplingConfig,
) -> list[int]:
    """Choose the next id of each row.

    Args:
        logits: of the next id.
        forbidden: the ids that may not come next.
        histories: the ids that each row has written so far.
        generators: one per row.
        config: how to draw.

    Raises:
        GenerationError: the logits are not numbers.
    """
    logits = forbid(logits, forbidden, config.temperature)
    if config.method == "greedy":
        return logits.argmax(-1).tolist()
    kept = keep_most_probable(logits.softmax(-1), config.top_p, config.top_k)
    chosen = []
    for row, ((probable, ids), history, generator) in enumerate(
        zip(kept, histories, generators, strict=True)
    ):
        if not math.isfinite(probable[0]):
            raise GenerationError(
                "the speech model gave logits that are not numbers; "
                "its weights are damaged or its precision is too low"
            )
        drawn = ids[draw_among(probable, generator)]
        if config.method == "repetition-aware" and is_recent(drawn, history, config):
            others = logits[row].cpu().clone()
            others[drawn] = -torch.inf
            if math.isfinite(float(others.max())):
                drawn = draw(others.softmax(-1), generator)
        chosen.append(drawn)
    return chosen
