"""CosyVoice 3's velocity network: a transformer over mel frames whose norms follow the flow's time.

Noise, given mel, token features and speaker go through one linear layer; two causal convolutions
bring order in; then come layers of attention and a network, each shifted, scaled and gated by the
flow's time (adaptive norms), and a last norm of that kind. Only attention looks ahead.

Positions: the original rotates queries and keys before they are cut into heads, so only the first
``head_dim`` channels, which are the first head, know their place. The weights were trained so.

Axes: b batch, c channels, t frames, h heads, w width of a head.
"""

import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import gelu, mish, scaled_dot_product_attention, silu

from mamtra.acoustic.causal_memory import CausalMemory, behind
from mamtra.acoustic.decoder_config import DiffusionTransformerConfig
from mamtra.acoustic.velocity import Condition, FlowTime, visible_frames

ROTARY_BASE = 10_000.0
NORM_EPS = 1e-6  # of the norms, which have no weights of their own
MODULATIONS = 6  # shift, scale and gate of attention, then of the network


class PositionConvs(nn.Module):
    """Two causal convolutions in groups, each followed by Mish."""

    def __init__(self, config: DiffusionTransformerConfig) -> None:
        super().__init__()
        self.reach = config.conv_kernel - 1
        self.convs = nn.ModuleList(
            nn.Conv1d(config.dim, config.dim, config.conv_kernel, groups=config.conv_groups)
            for _ in range(2)
        )

    def forward(
        self, hidden: Float[Tensor, "batch time dim"], memory: CausalMemory | None = None
    ) -> Float[Tensor, "batch time dim"]:
        """Never looks ahead."""
        inner = rearrange(hidden, "b t c -> b c t")
        for conv in self.convs:
            inner = mish(conv(behind(inner, self.reach, memory)))
        return rearrange(inner, "b c t -> b t c")


def rotate_first_head(
    hidden: Float[Tensor, "batch time inner"], head_dim: int, start: int = 0
) -> Float[Tensor, "batch time inner"]:
    """Rotate neighbouring pairs of the first ``head_dim`` channels by their frame's angle.

    The frames are counted from ``start``.
    """
    pairs = torch.arange(0, head_dim, 2, device=hidden.device, dtype=torch.float32)
    place = start + torch.arange(hidden.shape[1], device=hidden.device, dtype=torch.float32)
    angle = place[:, None] * ROTARY_BASE ** -(pairs / head_dim)
    cosine, sine = angle.cos(), angle.sin()
    turned = hidden[..., :head_dim].float()
    even, odd = turned[..., ::2], turned[..., 1::2]
    both = torch.stack([even * cosine - odd * sine, odd * cosine + even * sine], -1)
    return torch.cat([both.flatten(-2).to(hidden.dtype), hidden[..., head_dim:]], -1)


def normal(hidden: Float[Tensor, "batch time dim"]) -> Float[Tensor, "batch time dim"]:
    """A layer norm without weights."""
    return nn.functional.layer_norm(hidden, hidden.shape[-1:], eps=NORM_EPS)


class DiffusionTransformerLayer(nn.Module):
    """Attention and a network, each after a norm that the flow's time shifts, scales and gates."""

    def __init__(self, config: DiffusionTransformerConfig) -> None:
        super().__init__()
        inner = config.heads * config.head_dim
        self.heads, self.head_dim = config.heads, config.head_dim
        self.modulation = nn.Linear(config.dim, MODULATIONS * config.dim)
        self.q_proj = nn.Linear(config.dim, inner)
        self.k_proj = nn.Linear(config.dim, inner)
        self.v_proj = nn.Linear(config.dim, inner)
        self.o_proj = nn.Linear(inner, config.dim)
        self.widen = nn.Linear(config.dim, config.mlp_dim)
        self.narrow = nn.Linear(config.mlp_dim, config.dim)

    def attend(
        self,
        hidden: Float[Tensor, "batch time dim"],
        mask: Bool[Tensor, "batch 1 queries time"] | None,
        memory: CausalMemory | None = None,
    ) -> Float[Tensor, "batch time dim"]:
        """Mix what the mask allows; without one, everything."""
        start = 0 if memory is None else memory.frames
        query, key = (
            rotate_first_head(projection(hidden), self.head_dim, start)
            for projection in (self.q_proj, self.k_proj)
        )
        query, key, value = (
            rearrange(part, "b t (h w) -> b h t w", h=self.heads)
            for part in (query, key, self.v_proj(hidden))
        )
        if memory is not None:
            key, value = memory.extended(key), memory.extended(value)
        mixed = scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return self.o_proj(rearrange(mixed, "b h t w -> b t (h w)"))

    def forward(
        self,
        hidden: Float[Tensor, "batch time dim"],
        time: Float[Tensor, "batch dim"],
        mask: Bool[Tensor, "batch 1 queries time"] | None,
        content: Float[Tensor, "batch time 1"],
        memory: CausalMemory | None = None,
    ) -> Float[Tensor, "batch time dim"]:
        """One layer; attention adds nothing in padding."""
        moved = self.modulation(silu(time))[:, None].chunk(MODULATIONS, -1)
        shift, scale, gate, mlp_shift, mlp_scale, mlp_gate = moved
        mixed = self.attend(normal(hidden) * (1 + scale) + shift, mask, memory)
        hidden = hidden + gate * mixed * content
        inner = normal(hidden) * (1 + mlp_scale) + mlp_shift
        return hidden + mlp_gate * self.narrow(gelu(self.widen(inner), approximate="tanh"))


class DiffusionTransformer(nn.Module):
    """The direction of flow at one point, given tokens, speaker and what is already known."""

    def __init__(self, config: DiffusionTransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.time = FlowTime(config.time_sines, config.dim)
        self.entrance = nn.Linear(config.inputs, config.dim)
        self.position = PositionConvs(config)
        self.layers = nn.ModuleList(DiffusionTransformerLayer(config) for _ in range(config.layers))
        self.last_modulation = nn.Linear(config.dim, 2 * config.dim)
        self.head = nn.Linear(config.dim, config.bins)

    def forward(
        self,
        point: Float[Tensor, "batch bins time"],
        time: Float[Tensor, "batch"],
        known: Condition,
        *,
        chunked: bool = False,
        memory: CausalMemory | None = None,
    ) -> Float[Tensor, "batch bins time"]:
        """The velocity; arguments as for ``velocity.Velocity``."""
        frames = point.shape[-1]
        speaker = repeat(known.speaker, "b c -> b c t", t=frames)
        parts = torch.cat([point, known.given, known.mean, speaker], dim=1)
        hidden = self.entrance(rearrange(parts, "b c t -> b t c").to(self.head.weight.dtype))
        hidden = hidden + self.position(hidden, memory)
        content = known.content[..., None].to(hidden.dtype)
        visible = visible_frames(known, self.config.chunk_frames if chunked else None, memory)
        moment = self.time(time)
        for layer in self.layers:
            hidden = layer(hidden, moment, visible, content, memory)
        # the last one has its scale first
        scale, shift = self.last_modulation(silu(moment))[:, None].chunk(2, -1)
        found = self.head(normal(hidden) * (1 + scale) + shift)
        return rearrange(found, "b t c -> b c t").to(point.dtype)
