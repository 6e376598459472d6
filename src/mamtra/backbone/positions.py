"""Positions of one forward pass, shared by all layers: rotary tables, cache offsets, masks.

A pass brings some new tokens per row. ``starts`` says how many tokens each row had read before,
``lengths`` how many of the new ones are real (the rest is padding on the right). From these follow
the rotary angles and what attention may see.

Axes: b batch, t time (new tokens), p past and new tokens, d head width.
"""

import functools
import math
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mamtra.errors import ConfigError

TABLE_TOKENS = 2048  # rotary tables are made for a multiple of this many positions


@dataclass(frozen=True, slots=True, kw_only=True)
class RopeScaling:
    """Llama 3's stretching of slow rotary frequencies, for contexts longer than it first had.

    Attributes:
        factor: by which frequencies are divided whose wave is longer than ``original / low``.
        low, high: waves between ``original / high`` and ``original / low`` are blended; shorter
            ones stay as they are.
        original: tokens of the context that the model first had.
    """

    factor: float
    low: float = 1.0
    high: float = 4.0
    original: int = 8192

    def __post_init__(self) -> None:
        if not self.factor >= 1 or not 0 < self.low < self.high or self.original < 1:
            raise ConfigError(
                f"rope_scaling needs factor={self.factor} of at least 1, low={self.low} between 0 "
                f"and high={self.high}, and original={self.original} of at least 1"
            )

    def scaled(self, frequency: Float[Tensor, " half"]) -> Float[Tensor, " half"]:
        """The frequencies, in radians a token, with the slow ones divided."""
        turns = self.original * frequency / (2 * math.pi)  # in the original context
        kept = ((turns - self.low) / (self.high - self.low)).clamp(0, 1)
        return kept * frequency + (1 - kept) * frequency / self.factor


@functools.lru_cache(maxsize=16)
def rotary_table(
    tokens: int,
    head_dim: int,
    theta: float,
    dtype: torch.dtype,
    device: torch.device,
    scaling: RopeScaling | None = None,
) -> tuple[Float[Tensor, "tokens head_dim"], Float[Tensor, "tokens head_dim"]]:
    """Cosine and sine of every position, in Qwen's order: both halves of a head share the angles.

    The first half of the sine is negated, so that rotating is ``x * cosine + swap(x) * sine`` where
    ``swap`` exchanges the halves.
    """
    with torch.inference_mode(False), torch.no_grad():
        steps = torch.arange(0, head_dim, 2, dtype=torch.float32, device=device) / head_dim
        frequency = 1.0 / theta**steps
        if scaling is not None:
            frequency = scaling.scaled(frequency)
        position = torch.arange(tokens, dtype=torch.float32, device=device)
        angle = torch.outer(position, frequency)
        cosine, sine = angle.cos(), angle.sin()
        return (
            torch.cat([cosine, cosine], dim=-1).to(dtype),
            torch.cat([-sine, sine], dim=-1).to(dtype),
        )


def apply_rotary(
    heads: Float[Tensor, "batch time heads head_dim"],
    cosine: Float[Tensor, "#batch time 1 head_dim"],
    sine: Float[Tensor, "#batch time 1 head_dim"],
) -> Float[Tensor, "batch time heads head_dim"]:
    """Rotate each head by its position's angles."""
    swapped = torch.roll(heads, heads.shape[-1] // 2, dims=-1)
    return torch.addcmul(heads * cosine, swapped, sine)


@dataclass(frozen=True, slots=True)
class Positions:
    """One pass over new tokens: where each row starts and how many of its tokens are real.

    Attributes:
        time: new tokens of each row, padding included.
        starts: tokens that each row has read before.
        lengths: how many of a row's new tokens are real; None where all are.
        cosine, sine: rotary tables of the new tokens.
    """

    time: int
    starts: tuple[int, ...]
    lengths: tuple[int, ...] | None
    cosine: Float[Tensor, "#batch time 1 head_dim"]
    sine: Float[Tensor, "#batch time 1 head_dim"]
    device: torch.device

    @property
    def end(self) -> int:
        """One more than the last position that any row writes, padding included."""
        return max(self.starts) + self.time

    @property
    def shared_start(self) -> int | None:
        """The position at which every row starts, or None where rows differ."""
        return self.starts[0] if len(set(self.starts)) == 1 else None

    @property
    def index(self) -> Int[Tensor, "batch time"]:
        """Position of every new token."""
        first = torch.tensor(self.starts, device=self.device)
        return rearrange(first, "b -> b 1") + torch.arange(self.time, device=self.device)

    @property
    def real(self) -> Bool[Tensor, "batch time"] | None:
        """Which new tokens are real; None where all are."""
        if self.lengths is None or min(self.lengths) == self.time:
            return None
        lengths = torch.tensor(self.lengths, device=self.device)
        return torch.arange(self.time, device=self.device) < rearrange(lengths, "b -> b 1")

    @property
    def visible(self) -> Bool[Tensor, "batch 1 time past"]:
        """Which stored positions each new token may look at: its own and all before it."""
        stored = torch.arange(self.end, device=self.device)
        return stored <= rearrange(self.index, "b t -> b 1 t 1")


def positions_of(
    hidden: Float[Tensor, "batch time dim"],
    head_dim: int,
    theta: float,
    starts: tuple[int, ...] | None = None,
    lengths: tuple[int, ...] | None = None,
    scaling: RopeScaling | None = None,
) -> Positions:
    """Positions of a pass over ``hidden``; without ``starts`` every row begins at 0."""
    batch, time = hidden.shape[:2]
    starts = starts or (0,) * batch
    tokens = -(-(max(starts) + time) // TABLE_TOKENS) * TABLE_TOKENS
    tables = rotary_table(tokens, head_dim, theta, hidden.dtype, hidden.device, scaling)
    if len(set(starts)) == 1:
        cosine, sine = (
            rearrange(table[starts[0] : starts[0] + time], "t d -> 1 t 1 d") for table in tables
        )
    else:
        first = torch.tensor(starts, device=hidden.device)
        index = rearrange(first, "b -> b 1") + torch.arange(time, device=hidden.device)
        cosine, sine = (rearrange(table[index], "b t d -> b t 1 d") for table in tables)
    return Positions(time, starts, lengths, cosine, sine, hidden.device)
