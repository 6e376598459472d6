"""What the recurrent mixers do alike: read their inputs from a token, gate what they say, begin.

A recurrent mixer has one projection inward, whose rows its variant names in ``sections``: first the
gate, then what is written, where, and what reads (each head by itself, after a short convolution),
then what decides about steps and decays.

Axes: b batch, t time, h heads, k key/value heads, w head width, s state width.
"""

from typing import Generic, TypeVar

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from mamtra.backbone.mixers.short_convolution import convolve, start_as_identity
from mamtra.backbone.mixers.variant import OPEN_GATE, Variant
from mamtra.backbone.positions import Positions, apply_rotary
from mamtra.backbone.state import ScanState


def new_inward(dim: int, variant: Variant) -> tuple[nn.Linear, nn.Conv1d | None]:
    """The projection inward and the convolution behind it, if there is one."""
    in_proj = nn.Linear(dim, sum(variant.sections.values()), bias=variant.biased)
    channels, width = variant.channels, variant.conv_width
    return in_proj, nn.Conv1d(channels, channels, width, groups=channels) if width else None


@torch.no_grad()
def start_inward(variant: Variant, in_proj: nn.Linear, conv: nn.Conv1d | None) -> None:
    """Biases begin at zero, an open gate where it lets all through, a convolution as it is told."""
    gate_rows = next(iter(variant.sections.values()))
    for bias in [*in_proj.parameters()][1:]:
        bias.zero_()
    if variant.gate == "open":
        in_proj.weight[:gate_rows].zero_()
        in_proj.bias[:gate_rows].fill_(OPEN_GATE)
    if conv is not None and variant.conv_start == "identity":
        start_as_identity(conv)


Config = TypeVar("Config", bound=Variant)


class Recurrent(nn.Module, Generic[Config]):
    """A mixer with a state of constant size, whose gates and decays begin at chosen values.

    ``config`` must have its sizes filled in.
    """

    config: Config
    out_proj: nn.Linear  # gives what the layer adds to its input

    def start(self) -> None:
        """Set the values at which it begins; the projections keep those they have."""
        raise NotImplementedError

    def new_state(
        self, batch: int, capacity: int, dtype: torch.dtype, device: torch.device | str
    ) -> ScanState:
        """A memory that has read nothing, for any ``capacity``; its window has ``dtype``."""
        del capacity
        config = self.config
        scan = torch.zeros(batch, config.states, config.state_dim, config.head_dim, device=device)
        taps = max(config.conv_width - 1, 0)
        return ScanState(
            scan, torch.zeros(batch, taps, config.channels, dtype=dtype, device=device)
        )


def read_inputs(
    variant: Variant,
    projected: Float[Tensor, "batch time rows"],
    conv: nn.Conv1d | None,
    positions: Positions,
    state: ScanState | None,
) -> tuple[
    Float[Tensor, "batch time gate"],
    Float[Tensor, "batch time kv_heads head_dim"],
    Float[Tensor, "batch time kv_heads state_dim"],
    Float[Tensor, "batch time heads state_dim"],
    Float[Tensor, "batch time steps"],
]:
    """Gate, values, writes, reads and steps of each token; the state's window moves on.

    Args:
        variant: with its sizes written out.
        projected: what the projection inward gave.
        conv: the short convolution.
        positions: where the tokens stand.
        state: what was read before.
    """
    gate, *inward = list(variant.sections.values())[:4]
    steps = projected.shape[-1] - gate - variant.channels
    z, inputs, rest = torch.split(projected, [gate, variant.channels, steps], dim=-1)
    inputs = convolve(inputs, conv, positions, state)
    if variant.activation == "silu":
        inputs = F.silu(inputs)
    values, writes, reads = torch.split(inputs, inward, dim=-1)
    values = rearrange(values, "b t (k w) -> b t k w", w=variant.head_dim)
    writes = rearrange(writes, "b t (k s) -> b t k s", s=variant.state_dim)
    reads = rearrange(reads, "b t (h s) -> b t h s", s=variant.state_dim)
    if variant.rotary:
        writes, reads = (
            apply_rotary(part, positions.cosine, positions.sine) for part in (writes, reads)
        )
    return z, values, writes, reads, rest


def gated(
    variant: Variant,
    said: Float[Tensor, "batch time heads head_dim"],
    z: Float[Tensor, "batch time gate"],
) -> Float[Tensor, "batch time heads head_dim"]:
    """What the heads say, times the gate, if there is one."""
    if variant.gate == "none":
        return said
    return said * F.silu(rearrange(z, "b t (h w) -> b t h w", w=variant.head_dim))
