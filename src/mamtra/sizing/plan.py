"""What a model will need before it runs: bytes by part, and what fits into a card.

Weights and states are exact, the room for activations is an estimate, and some of a card is kept
back for what no arithmetic on sizes knows: the driver's context and the allocator's gaps.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from mamtra.errors import ConfigError
from mamtra.sizing.inference_bytes import (
    acoustic_bytes,
    break_even_tokens,
    capacity_of,
    paper_break_even_tokens,
    prefill_bytes,
    speech_lm_bytes,
    state_bytes,
)
from mamtra.sizing.operations import paper_operations, token_operations
from mamtra.sizing.sizes import ModelSizes

CONTEXT_BYTES = 600 * 2**20  # of a CUDA process before its first tensor; an assumption
GAP_SHARE = 0.05  # of a card lost between blocks of an allocator; an assumption
ENGINES = ("eager", "graph")  # as in synthesis.engine, which loads more than a plan needs
LONGEST_SECONDS = 1_000_000  # where the search for a length ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Bytes by part.

    Attributes:
        tokens: that each stream holds at its end, text and speech.
        capacity: tokens that its key/value memory then has room for.
        weights: by part; decoder and vocoder are float32.
        activations: an estimate, for the reading of one text; texts are read one after another.
        break_even: tokens beyond which a Mamba layer holds less than an attention layer.
        paper_break_even: the same with every number of the state as wide as a key.
        paper_operations: of a forward over 2,000 positions, as the paper counts them.
        token_operations: of the last token of a piece.
    """

    model: str
    layout: str
    dtype: str
    engine: str
    streams: int
    seconds: float
    tokens: int
    capacity: int
    weights: dict[str, int]
    key_values: int
    scans: int
    activations: int
    break_even: int
    paper_break_even: int
    paper_operations: float
    token_operations: float

    @property
    def states(self) -> int:
        """Memory of all streams."""
        return self.key_values + self.scans

    @property
    def total(self) -> int:
        """Everything, the estimate included."""
        return sum(self.weights.values()) + self.states + self.activations

    def row(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self) | {"total": self.total}


def plan(
    sizes: ModelSizes, seconds: float, streams: int, dtype: str, engine: str = "eager"
) -> Plan:
    """Add up what ``streams`` pieces of ``seconds`` each need.

    Args:
        sizes: of the model.
        seconds: of each piece.
        streams: pieces at once.
        dtype: of the language model's weights.
        engine: ``eager`` or ``graph``, which keeps memories in powers of two.

    Raises:
        ConfigError: a number is not positive or not finite, or the dtype or the engine is unknown.
    """
    if engine not in ENGINES:
        raise ConfigError(f"engine {engine!r} is unknown; possible are {', '.join(ENGINES)}")
    if not 0 < seconds < math.inf or streams < 1:
        raise ConfigError(
            f"{streams} streams of {seconds:g} seconds cannot be planned; "
            f"give at least one stream and more than 0 seconds"
        )
    backbone, tokens = sizes.backbone, sizes.tokens(seconds)
    states = state_bytes(backbone, tokens, streams * sizes.rows, dtype, engine)
    lm = speech_lm_bytes(sizes.speech_lm, dtype)
    return Plan(
        model=sizes.name,
        layout=backbone.layout,
        dtype=dtype,
        engine=engine,
        streams=streams,
        seconds=seconds,
        tokens=tokens,
        capacity=capacity_of(tokens, engine),
        weights={"speech_lm": lm} | acoustic_bytes(sizes),
        key_values=states.key_values,
        scans=states.scans,
        activations=prefill_bytes(backbone, sizes.text_ids(seconds), 1, dtype),
        break_even=break_even_tokens(backbone, dtype),
        paper_break_even=paper_break_even_tokens(backbone),
        paper_operations=paper_operations(backbone),
        token_operations=token_operations(sizes.speech_lm, tokens),
    )


def usable_bytes(card_bytes: int) -> int:
    """What of a card is left for weights, states and activations."""
    return max(0, round(card_bytes * (1 - GAP_SHARE)) - CONTEXT_BYTES)


def largest(works: Callable[[int], bool], limit: int) -> int:
    """The largest number up to ``limit`` for which ``works`` holds, as it does for all below."""
    low, high = 0, 1
    while high < limit and works(high):
        low, high = high, high * 2
    high = min(high, limit + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if works(middle) else (low, middle)
    return low


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What a card holds.

    Attributes:
        fits: whether the plan itself does.
        streams: of the plan's length.
        seconds: of the plan's number of streams; None where length costs nothing.
    """

    card_bytes: int
    usable_bytes: int
    fits: bool
    streams: int
    seconds: int | None


def fit(sizes: ModelSizes, planned: Plan, card_bytes: int) -> Fit:
    """How many streams of the plan's length, and how long streams of its number, a card holds."""
    backbone, room = sizes.backbone, usable_bytes(card_bytes)
    left = room - sum(planned.weights.values())

    def need(seconds: float, streams: int) -> int:
        """Bytes beside the weights."""
        held = sizes.tokens(seconds)
        rows = streams * sizes.rows
        states = state_bytes(backbone, held, rows, planned.dtype, planned.engine).total
        return states + prefill_bytes(backbone, sizes.text_ids(seconds), 1, planned.dtype)

    one = planned.states // planned.streams
    seconds = largest(lambda length: need(float(length), planned.streams) <= left, LONGEST_SECONDS)
    return Fit(
        card_bytes=card_bytes,
        usable_bytes=room,
        fits=planned.total <= room,
        streams=max(0, (left - planned.activations) // one),
        seconds=None if seconds >= LONGEST_SECONDS else seconds,
    )
