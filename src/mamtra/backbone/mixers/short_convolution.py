"""The short causal convolution of a recurrent mixer: each channel by itself, over a few tokens.

Axes: b batch, t time, c channels, n taps.
"""

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn

from mamtra.backbone.positions import Positions
from mamtra.backbone.state import ScanState


def start_as_identity(conv: nn.Conv1d) -> None:
    """Let the newest input through, and nothing else."""
    assert conv.bias is not None, "the convolution is made with one"
    with torch.no_grad():
        conv.weight.zero_()[:, :, -1] = 1.0
        conv.bias.zero_()


def joined_window(
    inputs: Float[Tensor, "batch time channels"],
    taps: int,
    positions: Positions,
    state: ScanState | None,
) -> Float[Tensor, "batch joined channels"]:
    """The inputs behind those that the state holds; its window moves on to the last real ones."""
    if state is None:
        return F.pad(inputs, (0, 0, taps, 0))
    joined = torch.cat([state.window.to(inputs.dtype), inputs], dim=1)
    if positions.lengths is None:
        state.window = joined[:, positions.time :].clone()
    else:
        ends = torch.tensor(positions.lengths, device=inputs.device)
        index = rearrange(ends, "b -> b 1") + torch.arange(taps, device=inputs.device)
        state.window = joined.gather(1, repeat(index, "b n -> b n c", c=inputs.shape[2]))
    return joined


def convolve(
    inputs: Float[Tensor, "batch time channels"],
    conv: nn.Conv1d | None,
    positions: Positions,
    state: ScanState | None,
) -> Float[Tensor, "batch time channels"]:
    """Mix each channel with its last few inputs; keep the last real ones in the state.

    Args:
        inputs: the new tokens.
        conv: one group per channel, with a bias; None leaves the inputs as they are.
        positions: where the tokens stand.
        state: what was read before; nothing where it is None.
    """
    if conv is None:
        return inputs
    assert conv.bias is not None, "the convolution is made with one"
    joined = joined_window(inputs, conv.kernel_size[0] - 1, positions, state)
    if positions.time == 1 and not torch.is_grad_enabled():
        # one token: a sum over the window, a tenth of a convolution's cost
        weight = rearrange(conv.weight, "c 1 n -> n c")
        return (joined * weight).sum(1, keepdim=True) + conv.bias
    # as an image one wide: PyTorch's CPU kernel is 3 times faster with the channels last
    mixed = F.conv2d(
        rearrange(joined, "b t c -> b c t 1"),
        rearrange(conv.weight, "c 1 n -> c 1 n 1"),
        conv.bias,
        groups=conv.groups,
    )
    return rearrange(mixed, "b c t 1 -> b t c")
