"""The network that says which way noise must flow to become mel features: CosyVoice 2's estimator.

A U-Net in time with one level: residual blocks of causal convolutions, told the flow's time, each
followed by transformer blocks; the first block's result is joined again near the end. Only
attention looks ahead, so a chunk mask makes it fit for streaming. It has no positions: the
convolutions bring order in.

Axes: b batch, c channels, t frames, h heads, w width of a head.
"""

import math
from dataclasses import dataclass

import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import gelu, mish, scaled_dot_product_attention, silu

from mamtra.acoustic.causal_memory import CausalMemory, behind
from mamtra.acoustic.decoder_config import VelocityConfig
from mamtra.acoustic.relative_attention import attention_mask

KERNEL = 3  # of every convolution in time
TIME_SCALE = 1000.0  # flow time 0..1 is spread over this many sine steps
WAVELENGTH_BASE = 10_000.0


@dataclass(slots=True, kw_only=True)
class Condition:
    """What is known about the mel features to be found.

    Attributes:
        content: False in padding.
        mean: what the token encoder expects.
        speaker: the speaker's projected vector.
        given: mel features of the prompt, zero where they must be found.
    """

    content: Bool[Tensor, "batch time"]
    mean: Float[Tensor, "batch bins time"]
    speaker: Float[Tensor, "batch speaker_bins"]
    given: Float[Tensor, "batch bins time"]

    def told(self, rows: Bool[Tensor, "batch"]) -> "Condition":
        """The same, with nothing known in the rows that are not to be told."""
        wide = rows[:, None, None]
        return Condition(
            content=self.content,
            mean=self.mean * wide,
            speaker=self.speaker * rows[:, None],
            given=self.given * wide,
        )

    def twice(self) -> "Condition":
        """Every row as it is, then every row with nothing known."""
        count = self.mean.shape[0]
        doubled = Condition(
            content=self.content.repeat(2, 1),
            mean=self.mean.repeat(2, 1, 1),
            speaker=self.speaker.repeat(2, 1),
            given=self.given.repeat(2, 1, 1),
        )
        return doubled.told(torch.arange(2 * count, device=self.mean.device) < count)


def visible_frames(
    known: Condition, chunk: int | None, memory: CausalMemory | None
) -> Bool[Tensor, "batch 1 queries time"] | None:
    """What each frame may look at; None for everything, as the frames of one chunk do."""
    if memory is not None:
        return None
    visible = attention_mask(known.content, chunk)
    return visible.expand(-1, -1, known.content.shape[1], -1)


class CausalConv(nn.Module):
    """A convolution over this frame and the two before."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inner, outer, KERNEL)

    def forward(
        self, hidden: Float[Tensor, "batch inner time"], memory: CausalMemory | None = None
    ) -> Float[Tensor, "batch outer time"]:
        """Never looks ahead."""
        return self.conv(behind(hidden, KERNEL - 1, memory))


class ConvBlock(nn.Module):
    """Convolution, norm over channels, Mish."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.conv = CausalConv(inner, outer)
        self.norm = nn.LayerNorm(outer)

    def forward(
        self,
        hidden: Float[Tensor, "batch inner time"],
        mask: Float[Tensor, "batch 1 time"],
        memory: CausalMemory | None = None,
    ) -> Float[Tensor, "batch outer time"]:
        """Padding stays zero."""
        mixed = rearrange(self.conv(hidden * mask, memory), "b c t -> b t c")
        return mish(rearrange(self.norm(mixed), "b t c -> b c t")) * mask


class ResidualBlock(nn.Module):
    """Two convolution blocks with the flow's time added between, beside a direct path."""

    def __init__(self, inner: int, outer: int, time_dim: int) -> None:
        super().__init__()
        self.first = ConvBlock(inner, outer)
        self.time = nn.Linear(time_dim, outer)
        self.second = ConvBlock(outer, outer)
        self.direct = nn.Conv1d(inner, outer, 1)

    def forward(
        self,
        hidden: Float[Tensor, "batch inner time"],
        mask: Float[Tensor, "batch 1 time"],
        time: Float[Tensor, "batch time_dim"],
        memory: CausalMemory | None = None,
    ) -> Float[Tensor, "batch outer time"]:
        """One block."""
        mixed = self.first(hidden, mask, memory) + self.time(mish(time))[..., None]
        return self.second(mixed, mask, memory) + self.direct(hidden * mask)


class TransformerBlock(nn.Module):
    """Attention without positions, then a network, each after a norm and added to what came in."""

    def __init__(self, config: VelocityConfig) -> None:
        super().__init__()
        inner = config.heads * config.head_dim
        self.heads = config.heads
        self.attention_norm = nn.LayerNorm(config.dim)
        self.q_proj = nn.Linear(config.dim, inner, bias=False)
        self.k_proj = nn.Linear(config.dim, inner, bias=False)
        self.v_proj = nn.Linear(config.dim, inner, bias=False)
        self.o_proj = nn.Linear(inner, config.dim)
        self.mlp_norm = nn.LayerNorm(config.dim)
        self.widen = nn.Linear(config.dim, 4 * config.dim)
        self.narrow = nn.Linear(4 * config.dim, config.dim)

    def forward(
        self,
        hidden: Float[Tensor, "batch time dim"],
        mask: Bool[Tensor, "batch 1 queries time"] | None,
        memory: CausalMemory | None = None,
    ) -> Float[Tensor, "batch time dim"]:
        """Mix what the mask allows; without one, everything."""
        normal = self.attention_norm(hidden)
        query, key, value = (
            rearrange(projection(normal), "b t (h w) -> b h t w", h=self.heads)
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        if memory is not None:
            key, value = memory.extended(key), memory.extended(value)
        mixed = scaled_dot_product_attention(query, key, value, attn_mask=mask)
        hidden = hidden + self.o_proj(rearrange(mixed, "b h t w -> b t (h w)"))
        return hidden + self.narrow(gelu(self.widen(self.mlp_norm(hidden))))


class Stage(nn.Module):
    """A residual block and its transformer blocks."""

    def __init__(self, config: VelocityConfig, inner: int) -> None:
        super().__init__()
        self.residual = ResidualBlock(inner, config.dim, 4 * config.dim)
        self.blocks = nn.ModuleList(TransformerBlock(config) for _ in range(config.blocks))

    def forward(
        self,
        hidden: Float[Tensor, "batch inner time"],
        mask: Float[Tensor, "batch 1 time"],
        time: Float[Tensor, "batch time_dim"],
        visible: Bool[Tensor, "batch 1 queries time"] | None,
        memory: CausalMemory | None = None,
    ) -> Float[Tensor, "batch dim time"]:
        """One stage."""
        hidden = rearrange(self.residual(hidden, mask, time, memory), "b c t -> b t c")
        for block in self.blocks:
            hidden = block(hidden, visible, memory)
        return rearrange(hidden, "b t c -> b c t")


class FlowTime(nn.Module):
    """The flow's time as a vector: sines of it through two linear layers."""

    def __init__(self, sines: int, dim: int) -> None:
        super().__init__()
        self.sines = sines
        self.widen = nn.Linear(sines, dim)
        self.mix = nn.Linear(dim, dim)

    def forward(self, time: Float[Tensor, "batch"]) -> Float[Tensor, "batch time_dim"]:
        """Sines first, then cosines."""
        half = self.sines // 2
        place = torch.arange(half, device=time.device, dtype=torch.float32)
        angle = (
            TIME_SCALE
            * time.float()[:, None]
            * torch.exp(place * -(math.log(WAVELENGTH_BASE) / (half - 1)))
        )
        sines = torch.cat([angle.sin(), angle.cos()], -1).to(self.widen.weight.dtype)
        return self.mix(silu(self.widen(sines)))


class Velocity(nn.Module):
    """The direction of flow at one point, given tokens, speaker and what is already known."""

    def __init__(self, config: VelocityConfig) -> None:
        super().__init__()
        self.config = config
        width = 4 * config.dim
        self.time = FlowTime(config.inputs, width)
        self.time_mixer = nn.Linear(2 * width, width, bias=False) if config.mean_flow else None
        self.first = Stage(config, config.inputs)
        self.first_conv = CausalConv(config.dim, config.dim)
        self.middle = nn.ModuleList(Stage(config, config.dim) for _ in range(config.middle))
        self.last = Stage(config, 2 * config.dim)
        self.last_conv = CausalConv(config.dim, config.dim)
        self.final = ConvBlock(config.dim, config.dim)
        self.head = nn.Conv1d(config.dim, config.bins, 1)

    def forward(
        self,
        point: Float[Tensor, "batch bins time"],
        time: Float[Tensor, "batch"],
        known: Condition,
        *,
        chunked: bool = False,
        memory: CausalMemory | None = None,
        end: Float[Tensor, "batch"] | None = None,
    ) -> Float[Tensor, "batch bins time"]:
        """The velocity.

        Args:
            point: where the flow is now.
            time: the flow's time of each row, 0 (noise) to 1 (mel features).
            known: what the flow may know.
            chunked: attention ends with each frame's own chunk, as in streaming.
            memory: earlier frames; these ones are the next chunk, and all of them real.
            end: of a mean flow, the time at which the step ends; the velocity is the mean until
                then. ``time`` itself if left: the velocity at the point.
        """
        frames = point.shape[-1]
        speaker = repeat(known.speaker, "b c -> b c t", t=frames)
        hidden = torch.cat([point, known.mean, speaker, known.given], dim=1)
        hidden = hidden.to(self.head.weight.dtype)
        mask = known.content[:, None].to(hidden.dtype)
        visible = visible_frames(known, self.config.chunk_frames if chunked else None, memory)
        moment = self.time(time)
        if self.time_mixer is not None:
            until = moment if end is None else self.time(end)
            moment = self.time_mixer(torch.cat([moment, until], -1))
        first = self.first(hidden, mask, moment, visible, memory)
        hidden = self.first_conv(first * mask, memory)
        for stage in self.middle:
            hidden = stage(hidden, mask, moment, visible, memory)
        hidden = self.last(torch.cat([hidden, first], dim=1), mask, moment, visible, memory)
        hidden = self.final(self.last_conv(hidden * mask, memory), mask, memory)
        return (self.head(hidden * mask) * mask).to(point.dtype)
