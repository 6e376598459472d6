"""The Gated DeltaNet mixer (arXiv 2412.06464), with variants that a transfer from attention needs.

Where Mamba adds each token to its state, this one first looks up what the state holds under the
token's key and replaces it by the share beta, so that a memory of fixed size can be corrected.

    z, v, k, q, a, b = in_proj(hidden)          one product, rows in this order
    v, k, q = silu(conv(v, k, q))               each channel by itself, before the repeat
    k, q = k / |k|, q / |q|                     per head
    beta = sigmoid(b + beta_bias), decay = exp(-softplus(a + dt_bias) exp(A_log))
    state = decay state; state = state + beta k^T (v - k state)
    out_proj(norm(q state) * silu(z))           the norm is per head

Keys and values have ``kv_heads`` heads, each shared by a group of the ``heads`` that queries have,
as in attention (head i uses number ``i // group``); decay and beta belong to a head.

Decays start so that a layer that replaces attention forgets nothing: they keep a token for hundreds
of tokens, where the paper draws Mamba-2's. Beta begins at ``beta_start``.

Recurrence, lengths and norm are computed in float32; weights and activations keep the type of the
module.

Axes: b batch, t time, h heads, k key/value heads, g heads of a key/value head, s state width, w
head width.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn

from mamtra.backbone.mixers.delta_rule import run_delta_rule
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
from mamtra.errors import ConfigError

# of 0.01 to 0.9 the share with which the output of nano's layers, before and after their output
# projection is fitted, is closest to that of the attention they replace (docs/log.md)
BETA_START = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class GatedDeltaNetConfig(Variant):
    """Variants of the mixer; a size of 0 means "as in the attention layers" (``state_dim``: as the
    head width).

    Attributes:
        beta_start: share of the old value under a key that a token replaces before training.
    """

    beta_start: float = BETA_START

    def __post_init__(self) -> None:
        Variant.__post_init__(self)  # a slotted class knows no super()
        if not 0 < self.beta_start < 1:
            raise ConfigError(f"beta_start={self.beta_start} must lie between 0 and 1")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the rows of ``in_proj``."""
        return "z", "v", "k", "q", "a", "b"


class GatedDeltaNet(Recurrent[GatedDeltaNetConfig]):
    """A layer whose memory is corrected by the delta rule; the memory, if any, is an argument."""

    def __init__(self, dim: int, config: GatedDeltaNetConfig) -> None:
        super().__init__()
        self.config = config
        self.in_proj, self.conv1d = new_inward(dim, config)
        self.dt_bias = nn.Parameter(torch.empty(config.heads))
        self.A_log = nn.Parameter(torch.empty(config.heads))
        self.beta_bias = nn.Parameter(torch.empty(config.heads))
        self.norm = RMSNorm(config.heads * config.head_dim, config.norm_eps)
        self.out_proj = nn.Linear(config.heads * config.head_dim, dim, bias=False)
        self.start()

    @torch.no_grad()
    def start(self) -> None:
        """Set the values at which the variants begin; the projections keep PyTorch's own."""
        config = self.config
        self.dt_bias.copy_(inverse_softplus(torch.ones(config.heads)))
        self.A_log.copy_(long_memory_rates(config.heads).log())
        self.beta_bias.fill_(math.log(config.beta_start / (1 - config.beta_start)))
        start_inward(config, self.in_proj, self.conv1d)

    def forward(
        self,
        hidden: Float[Tensor, "batch time dim"],
        positions: Positions,
        state: ScanState | None = None,
    ) -> Float[Tensor, "batch time dim"]:
        """Mix over time; with a state, continue from it and leave it after the last real token."""
        config = self.config
        z, v, k, q, rest = read_inputs(config, self.in_proj(hidden), self.conv1d, positions, state)
        a, b = rest.chunk(2, dim=-1)
        k, q = (F.normalize(part.float(), dim=-1).to(hidden.dtype) for part in (k, q))
        group = config.heads // config.kv_heads
        rate = F.softplus(a.float() + self.dt_bias.float()) * self.A_log.float().exp()
        y, final = run_delta_rule(
            q,
            repeat(k, "b t k s -> b t (k g) s", g=group),
            repeat(v, "b t k w -> b t (k g) w", g=group),
            -rate,
            torch.sigmoid(b.float() + self.beta_bias.float()),
            None if state is None else state.scan,
            None if state is None else positions.real,
            form=config.scan,
        )
        if state is not None:
            state.scan = final
        return self.out_proj(self.finish(y.to(hidden.dtype), z))

    def finish(
        self, y: Float[Tensor, "batch time heads head_dim"], z: Float[Tensor, "batch time gate"]
    ) -> Float[Tensor, "batch time inner"]:
        """Normalise each head of the output and gate it."""
        config = self.config
        weight = rearrange(self.norm.weight, "(h w) -> h w", w=config.head_dim)
        y = normalise(y, weight, config.norm_eps)
        return rearrange(gated(config, y, z), "b t h w -> b t (h w)")
