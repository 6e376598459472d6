"""Hears whether tokens survive: features that were drawn from them are tokenized again.

The tokenizer learnt to name phones, so what it no longer hears is likely lost to a person as well,
while a distance from recordings counts it as little as any other blur. The decoder learns to bring
the tokens back: each number of a code has to lie on its side of the edge where the quantiser
rounds, by a margin; one that does adds nothing.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from mamtra.acoustic.config import FRAMES_PER_TOKEN, LEVELS
from mamtra.acoustic.quantizer import BOUND
from mamtra.acoustic.speech_tokenizer import SpeechTokenizer

EDGE = math.atanh(0.5 / BOUND)  # where a number before its tanh is rounded to another level
MARGIN = 0.3  # before the tanh, too


class Retokenizer(nn.Module):
    """A finished tokenizer that does not learn.

    Mel features are natural logarithms of magnitudes; ``frames`` says how many of a row are real,
    the rest is padding, and an odd last one belongs to no token.

    Args:
        tokenizer: that made the tokens; it is frozen, and moves with this module.
    """

    def __init__(self, tokenizer: SpeechTokenizer) -> None:
        super().__init__()
        self.tokenizer = tokenizer.eval().requires_grad_(False)

    def numbers(
        self, mel: Float[Tensor, "batch bins frames"], frames: Int[Tensor, "batch"]
    ) -> tuple[Float[Tensor, "batch tokens digits"], Float[Tensor, "batch tokens 1"]]:
        """The numbers of each code before their tanh, and the mask of its tokens."""
        even = frames // FRAMES_PER_TOKEN * FRAMES_PER_TOKEN
        hidden, mask = self.tokenizer.hidden(mel, even)
        return self.tokenizer.quantizer.down(hidden).float(), mask

    def levels(self, tokens: Int[Tensor, "batch tokens"]) -> Float[Tensor, "batch tokens digits"]:
        """The numbers of codes: -1, 0 or 1."""
        values = self.tokenizer.quantizer.place_values
        return (tokens[..., None] // values % LEVELS - 1).float()

    def missed(
        self,
        mel: Float[Tensor, "batch bins frames"],
        frames: Int[Tensor, "batch"],
        wanted: Float[Tensor, "batch tokens digits"],
    ) -> dict[str, Tensor]:
        """How far numbers lie from where they have to, and how many tokens come back.

        Args:
            mel: drawn features.
            frames: real frames of each row.
            wanted: the numbers of each code.

        Returns:
            ``tokens``, the mean distance of a number before its tanh from the margin, and ``kept``,
            the share of tokens that come back.
        """
        found, mask = self.numbers(mel, frames)
        wanted = wanted[:, : found.shape[1]]
        outer = (EDGE + MARGIN - wanted * found).relu()
        inner = (found.abs() - (EDGE - MARGIN)).relu()
        missed = torch.where(wanted == 0, inner, outer) * mask
        count = mask.sum().clamp(min=1)
        same = ((found.tanh() * BOUND).round() == wanted).all(-1, keepdim=True) * mask
        return {
            "tokens": missed.sum() / (count * wanted.shape[-1]),
            "kept": same.sum() / count,
        }
