"""Finite scalar quantisation: a vector of a few bounded numbers, each rounded to three levels, is
one token.

There is no codebook to collapse: the code *is* the vector of levels, read as a number in base
three. The form is that of CosyVoice 2's speech tokenizer (8 numbers, 3^8 = 6561 codes); nano
uses 7 (2187 codes). Source: arXiv 2309.15505.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from mamtra.acoustic.config import LEVELS

BOUND = 0.999  # keeps tanh inside the outer levels


class Quantizer(nn.Module):
    """Project to a few numbers, round each to -1, 0 or 1, project back.

    Args:
        dim: width of the vectors outside.
        digits: numbers in a code; there are ``3 ** digits`` codes.
    """

    place_values: Tensor

    def __init__(self, dim: int, digits: int) -> None:
        super().__init__()
        self.down = nn.Linear(dim, digits)
        self.up = nn.Linear(digits, dim)
        self.register_buffer("place_values", LEVELS ** torch.arange(digits), persistent=False)
        self.codes = LEVELS**digits

    def bounded(
        self, hidden: Float[Tensor, "batch time dim"]
    ) -> Float[Tensor, "batch time digits"]:
        """The numbers of a code before rounding, between -1 and 1, in float32."""
        return self.down(hidden).float().tanh() * BOUND

    def forward(self, hidden: Float[Tensor, "batch time dim"]) -> Float[Tensor, "batch time dim"]:
        """Quantise; the gradient passes as if nothing had been rounded."""
        bounded = self.bounded(hidden)
        rounded = bounded + (bounded.round() - bounded).detach()
        return self.up(rounded.to(hidden.dtype))

    def ids(self, hidden: Float[Tensor, "batch time dim"]) -> Int[Tensor, "batch time"]:
        """The code of each vector."""
        digits = self.bounded(hidden).round().long() + 1
        return (digits * self.place_values.long()).sum(-1)
