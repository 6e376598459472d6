"""Attention whose scores depend on content and on the distance between two steps.

Axes: b batch, t time, d dim, h heads, w width of a head, p distances.
"""

import math

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mamtra.acoustic.causal_memory import CausalMemory
from mamtra.acoustic.decoder_config import TokenEncoderConfig

WAVELENGTH_BASE = 10_000.0  # of the sine positions


def attention_mask(
    content: Bool[Tensor, "batch time"], chunk: int | None
) -> Bool[Tensor, "batch 1 queries time"]:
    """Which steps each step may see: all with content, or those up to the end of its own chunk."""
    if chunk is None:
        return content[:, None, None]
    step = torch.arange(content.shape[1], device=content.device)
    reach = (step // chunk + 1) * chunk
    return content[:, None, None] & (step[None] < reach[:, None])


def sine_positions(
    time: int, dim: int, like: Tensor, before: int = 0
) -> Float[Tensor, "distances dim"]:
    """Sines and cosines, interleaved, of the distances ``before + time - 1`` down to ``-time``."""
    first = before + time - 1
    distance = torch.arange(first, -time - 1, -1, device=like.device, dtype=torch.float32)
    even = torch.arange(0, dim, 2, device=like.device, dtype=torch.float32)
    angle = distance[:, None] * torch.exp(even * -(math.log(WAVELENGTH_BASE) / dim))
    return rearrange(torch.stack([angle.sin(), angle.cos()]), "p t d -> t (d p)").to(like.dtype)


def by_distance_to_by_key(
    scores: Float[Tensor, "batch heads time distances"],
) -> Float[Tensor, "batch heads time keys"]:
    """Turn scores per (query, distance) into scores per (query, key); queries are the last keys.

    Row i must begin at column time-1-i. In the flattened rows of keys+time columns that is place
    (time-1) + i*(keys+time-1): so drop the first time-1 places and read rows one column shorter.
    """
    time, distances = scores.shape[-2:]
    row = distances - 1
    flat = rearrange(scores, "b h t p -> b h (t p)")[..., time - 1 : time - 1 + time * row]
    return rearrange(flat, "b h (t p) -> b h t p", p=row)[..., : distances - time]


class RelativeAttention(nn.Module):
    """Attention whose scores depend on content and on the distance between two steps."""

    def __init__(self, config: TokenEncoderConfig) -> None:
        super().__init__()
        self.heads, self.width = config.heads, config.dim // config.heads
        self.q_proj = nn.Linear(config.dim, config.dim)
        self.k_proj = nn.Linear(config.dim, config.dim)
        self.v_proj = nn.Linear(config.dim, config.dim)
        self.o_proj = nn.Linear(config.dim, config.dim)
        self.position_proj = nn.Linear(config.dim, config.dim, bias=False)
        self.content_bias = nn.Parameter(torch.zeros(self.heads, self.width))
        self.position_bias = nn.Parameter(torch.zeros(self.heads, self.width))

    def split(self, hidden: Tensor) -> Tensor:
        """Heads as an axis of their own."""
        return rearrange(hidden, "... t (h w) -> ... h t w", h=self.heads)

    def forward(
        self,
        hidden: Float[Tensor, "batch time dim"],
        mask: Bool[Tensor, "batch 1 queries time"] | None,
        positions: Float[Tensor, "distances dim"],
        memory: CausalMemory | None = None,
    ) -> Float[Tensor, "batch time dim"]:
        """Mix what the mask allows, and what is remembered; softmax in float32."""
        scale = self.width**-0.5
        query = self.split(self.q_proj(hidden)) * scale
        key, value = self.split(self.k_proj(hidden)), self.split(self.v_proj(hidden))
        if memory is not None:
            key, value = memory.extended(key), memory.extended(value)
        distance = self.split(self.position_proj(positions))
        content = (query + self.content_bias[:, None] * scale) @ key.mT
        place = (query + self.position_bias[:, None] * scale) @ distance.mT
        scores = (content + by_distance_to_by_key(place)).float()
        if mask is not None:
            # a finite floor, so that a row of nothing but padding stays a number
            scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        mixed = scores.softmax(-1).to(value.dtype) @ value
        return self.o_proj(rearrange(mixed, "b h t w -> b t (h w)"))
