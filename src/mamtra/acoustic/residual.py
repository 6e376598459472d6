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


class ResidualBlock(nn.Module):
    """Pairs of a dilated and a plain convolution, each pair around a shortcut."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        conv = partial(nn.Conv1d, channels, channels, kernel)
        self.dilated = nn.ModuleList(
            conv(dilation=dilation, padding=(kernel - 1) * dilation // 2) for dilation in dilations
        )
        self.plain = nn.ModuleList(conv(padding=(kernel - 1) // 2) for _ in dilations)
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
