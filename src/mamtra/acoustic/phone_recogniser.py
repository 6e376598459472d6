"""Which phone each 20 ms of speech tokens are: a small network that reads tokens, not sound.

It is what ``generation/proofreader`` compares a text with before the tokens are sounded. Trained by
``recipes/nano/proofreader``; the tokens' digits are its input, since their code has an order.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from mamtra.acoustic.config import CLASSES, HALVES, LEVELS, ProofreaderConfig


class PhoneRecogniser(nn.Module):
    """Residual convolutions over the digits of speech tokens."""

    digits_of: Tensor

    def __init__(self, config: ProofreaderConfig) -> None:
        super().__init__()
        self.config = config
        places = LEVELS ** torch.arange(config.digits)
        digits = torch.arange(LEVELS**config.digits)[:, None] // places % LEVELS
        written = functional.one_hot(digits, LEVELS).flatten(1).float()
        self.register_buffer("digits_of", written, persistent=False)
        self.embedding = nn.Linear(LEVELS * config.digits, config.dim)
        self.norms = nn.ModuleList(nn.LayerNorm(config.dim) for _ in range(config.layers))
        self.convs = nn.ModuleList(
            nn.Conv1d(config.dim, config.dim, config.kernel, padding=config.kernel // 2)
            for _ in range(config.layers)
        )
        self.output = nn.Linear(config.dim, HALVES * len(CLASSES))

    def forward(
        self, tokens: Int[Tensor, "batch tokens"]
    ) -> Float[Tensor, "batch twice_tokens classes"]:
        """Logits of the classes, for each half of each token; token -1 is padding."""
        present = (tokens >= 0)[..., None]
        hidden = self.embedding(self.digits_of[tokens.clamp(min=0)].to(self.output.weight.dtype))
        for norm, conv in zip(self.norms, self.convs, strict=True):
            seen = norm(hidden).relu() * present  # padding is as what lies beyond the ends
            hidden = hidden + conv(seen.mT).mT
        return self.output(hidden).unflatten(-1, (HALVES, -1)).flatten(1, 2)
