"""The Mamba-2 mixer in the form that a transfer from attention needs, with its variants as values.

Letters follow the Mamba paper: x value, B write, C read, dt step, z gate, A decay rate, D skip.
Seen from attention, C is the query, B the key, x the value: like keys and values, B and x have
``kv_heads`` heads, each shared by a group of the ``heads`` that C has (head i uses B and x number
``i // group``).

    z, x, B, C, dt = in_proj(hidden)            one product, rows in this order
    x, B, C = silu(conv(x, B, C))               each channel by itself, before the repeat
    state = exp(-dt A) state + B^T (dt x)       per head
    y = C state + D x
    out_proj(norm(y * silu(z)))                 the norm is per head

Scan, step and norm are computed in float32; weights and activations keep the type of the module.

Axes: b batch, t time, h heads, k key/value heads, g heads of a key/value head, s state width, w
head width, c channels.
"""

# the paper's letters are no constants
# pyright: reportConstantRedefinition=false

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn

from mamtra.backbone.mixers.fused_scan import run_scan
from mamtra.backbone.mixers.recurrent import (
    Recurrent,
    gated,
    new_inward,
    read_inputs,
    start_inward,
)
from mamtra.backbone.mixers.variant import Variant, inverse_softplus, long_memory_rates
from mamtra.backbone.norm import RMSNorm, normalise
from mamtra.backbone.positions import Positions
from mamtra.backbone.state import ScanState

SMALLEST_STEP, LARGEST_STEP = 1e-3, 0.1  # Mamba-2's start of dt, log-uniform
SLOWEST_RATE, FASTEST_RATE = 1.0, 16.0  # Mamba-2's start of A, uniform

Decay = Literal["head", "group"]
DecayStart = Literal["mamba", "long"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MambaConfig(Variant):
    """Variants of the Mamba mixer; the defaults are the paper's parity form.

    A size of 0 means "as in the attention layers" (``state_dim``: as the head width).
    """

    norm: bool = True
    decay: Decay = "head"
    decay_start: DecayStart = "mamba"

    @property
    def states(self) -> int:
        """Recurrent states of a layer: one per head, or one per key/value head."""
        return self.heads if self.decay == "head" else self.kv_heads

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the rows of ``in_proj``."""
        return "z", "x", "B", "C", "dt"


class Mamba(Recurrent[MambaConfig]):
    """A selective state space layer; the memory, if any, is an argument."""

    def __init__(self, dim: int, config: MambaConfig) -> None:
        super().__init__()
        self.config = config
        self.in_proj, self.conv1d = new_inward(dim, config)
        self.dt_bias = nn.Parameter(torch.empty(config.states))
        self.A_log = nn.Parameter(torch.empty(config.states))
        self.D = nn.Parameter(torch.ones(config.heads))
        if config.norm:
            self.norm = RMSNorm(config.heads * config.head_dim, config.norm_eps)
        self.out_proj = nn.Linear(config.heads * config.head_dim, dim, bias=False)
        self.start()

    @torch.no_grad()
    def start(self) -> None:
        """Set the values at which the variants begin; the projections keep PyTorch's own."""
        config = self.config
        if config.decay_start == "mamba":
            low, high = math.log(SMALLEST_STEP), math.log(LARGEST_STEP)
            step = torch.exp(torch.rand(config.states) * (high - low) + low)
            rate = torch.rand(config.states) * (FASTEST_RATE - SLOWEST_RATE) + SLOWEST_RATE
        else:
            step, rate = torch.ones(config.states), long_memory_rates(config.states)
        self.dt_bias.copy_(inverse_softplus(step))
        self.A_log.copy_(rate.log())
        start_inward(config, self.in_proj, self.conv1d)

    def forward(
        self,
        hidden: Float[Tensor, "batch time dim"],
        positions: Positions,
        state: ScanState | None = None,
    ) -> Float[Tensor, "batch time dim"]:
        """Mix over time; with a state, continue from it and leave it after the last real token."""
        config = self.config
        z, x, B, C, dt = read_inputs(config, self.in_proj(hidden), self.conv1d, positions, state)
        group = config.heads // config.kv_heads
        spread = repeat(x, "b t k w -> b t (k g) w", g=group)
        if config.decay == "head":
            x, B = spread, repeat(B, "b t k s -> b t (k g) s", g=group)
        step = F.softplus(dt.float() + self.dt_bias.float())
        y, final = run_scan(
            x.float() * rearrange(step, "b t h -> b t h 1"),
            B,
            rearrange(C, "b t (h g) s -> b t h g s", h=config.states),
            -step * self.A_log.float().exp(),
            None if state is None else state.scan,
            None if state is None else positions.real,
            config.scan,
        )
        if state is not None:
            state.scan = final
        y = rearrange(y, "b t h g w -> b t (h g) w").to(hidden.dtype)
        y = torch.addcmul(y, rearrange(self.D, "h -> h 1"), spread)
        return self.out_proj(self.finish(y, z))

    def finish(
        self, y: Float[Tensor, "batch time heads head_dim"], z: Float[Tensor, "batch time gate"]
    ) -> Float[Tensor, "batch time inner"]:
        """Gate the output and normalise each head."""
        config = self.config
        y = gated(config, y, z)
        if config.norm:
            weight = rearrange(self.norm.weight, "(h w) -> h w", w=config.head_dim)
            y = normalise(y, weight, config.norm_eps)
        return rearrange(y, "b t h w -> b t (h w)")
