"""The residual block of the vocoder, and its activation."""

from functools import partial

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

SMALLEST_ALPHA = 1e-9  # keeps the division finite


class Snake(nn.Module):
    """The activation x + sin²(αx) / α, with a learned α for every channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(channels))

    def forward(
        self, x: Float[Tensor, "batch channels time"]
    ) -> Float[Tensor, "batch channels time"]:
        """Adds a bend whose period follows α."""
        alpha = rearrange(self.alpha, "c -> c 1")
        return x + (x * alpha).sin().square() / (alpha + SMALLEST_ALPHA)


class PaddedConv(nn.Conv1d):
    """A convolution that keeps the length: it sees both sides, or what lies before only."""

    def __init__(
        self, before: int, after: int, kernel: int, *, dilation: int = 1, causal: bool = False
    ) -> None:
        reach = (kernel - 1) * dilation
        super().__init__(
            before, after, kernel, dilation=dilation, padding=0 if causal else reach // 2
        )
        self.left = reach if causal else 0

    def forward(
        self,
        input: Float[Tensor, "batch before time"],  # noqa: A002
    ) -> Float[Tensor, "batch after time"]:
        """Zeros lie beyond the ends."""
        return super().forward(nn.functional.pad(input, (self.left, 0)) if self.left else input)


class ResidualBlock(nn.Module):
    """Pairs of a dilated and a plain convolution, each pair around a shortcut."""

    def __init__(
        self, channels: int, kernel: int, dilations: tuple[int, ...], causal: bool = False
    ) -> None:
        super().__init__()
        conv = partial(PaddedConv, channels, channels, kernel, causal=causal)
        self.dilated = nn.ModuleList(conv(dilation=dilation) for dilation in dilations)
        self.plain = nn.ModuleList(conv() for _ in dilations)
        self.dilated_snakes = nn.ModuleList(Snake(channels) for _ in dilations)
        self.plain_snakes = nn.ModuleList(Snake(channels) for _ in dilations)

    def forward(
        self, x: Float[Tensor, "batch channels time"]
    ) -> Float[Tensor, "batch channels time"]:
        """Same shape as the input."""
        pairs = zip(self.dilated_snakes, self.dilated, self.plain_snakes, self.plain, strict=True)
        for first_snake, dilated, second_snake, plain in pairs:
            x = x + plain(second_snake(dilated(first_snake(x))))
        return x
