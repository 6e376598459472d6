"""One layer of the stack: norm, mixer, norm, gated MLP, each half added to its input.

The block does not know which mixer it holds; all have the same signature.
"""

from typing import Any

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mamtra.backbone.mixers.mixer import Mixer, State
from mamtra.backbone.norm import RMSNorm
from mamtra.backbone.positions import Positions


class GatedMLP(nn.Module):
    """SwiGLU: ``down(silu(gate(x)) * up(x))``, no biases."""

    gate_up_proj: Any

    def __init__(self, dim: int, width: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(dim, width, bias=False)
        self.up_proj = nn.Linear(dim, width, bias=False)
        self.down_proj = nn.Linear(width, dim, bias=False)
        self.register_module("gate_up_proj", None)

    @property
    def projections(self) -> list[nn.Linear]:
        """The layers of gate and up, in this order; none once they are joined."""
        return [] if self.gate_up_proj is not None else [self.gate_proj, self.up_proj]

    def join(self, joined: nn.Module) -> None:
        """Let one layer stand for both projections, which then are gone."""
        del self.gate_proj, self.up_proj
        self.gate_up_proj = joined

    def forward(self, hidden: Float[Tensor, "batch time dim"]) -> Float[Tensor, "batch time dim"]:
        """Apply to each token by itself."""
        if self.gate_up_proj is not None:
            gate, up = self.gate_up_proj(hidden).chunk(2, dim=-1)
            return self.down_proj(F.silu(gate) * up)
        return self.down_proj(F.silu(self.gate_proj(hidden)) * self.up_proj(hidden))


class Block(nn.Module):
    """A mixer over time and an MLP over width, both residual."""

    mixer: Mixer

    def __init__(self, mixer: Mixer, dim: int, mlp_dim: int, eps: float) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(dim, eps)
        self.mixer = mixer
        self.post_attention_layernorm = RMSNorm(dim, eps)
        self.mlp = GatedMLP(dim, mlp_dim)

    def forward(
        self,
        hidden: Float[Tensor, "batch time dim"],
        positions: Positions,
        state: State | None = None,
    ) -> Float[Tensor, "batch time dim"]:
        """Run both halves; ``state`` is the mixer's memory, updated in place."""
        hidden = hidden + self.mixer(self.input_layernorm(hidden), positions, state)
        return hidden + self.mlp(self.post_attention_layernorm(hidden))
