"""A state as it would be after many tokens, without reading them: filled with random numbers.

To time a step at 16,000 tokens nobody has to wait for 16,000 tokens: what a step costs depends on
how much is stored, not on what.
"""

from typing import Any

import torch

from mamtra.backbone import StackState
from mamtra.backbone.state import KeyValueState, ScanState
from mamtra.benchmark.baseline import Baseline, BaselineState
from mamtra.errors import ConfigError

SPREAD = 0.1  # standard deviation of scan states, so that nothing overflows


@torch.inference_mode()
def fill_stack(state: StackState, tokens: int) -> None:
    """Let every row have read so many tokens.

    Raises:
        ConfigError: a layer's memory is of a kind that is not known here.
    """
    for layer in state.layers:
        match layer:
            case KeyValueState():
                layer.reserve(tokens)
                layer.keys[:, :, :tokens].normal_()
                layer.values[:, :, :tokens].normal_()
            case ScanState():
                layer.scan.normal_(0, SPREAD)
                layer.window.normal_()
            case _:
                raise ConfigError(f"nobody wrote down how to fill a {type(layer).__name__}")
    state.positions = [tokens] * len(state.positions)


def filled_state(model: Any, tokens: int, batch: int, room: int) -> StackState | BaselineState:
    """A new memory of ``batch`` rows that hold ``tokens``, with room for some more.

    Args:
        model: what speaks: a speech LM, an engine around one, or the baseline.
        tokens: that each row has read.
        batch: rows.
        room: further tokens that will be read.
    """
    state = model.new_state(batch, tokens + room)
    if isinstance(state, BaselineState):
        assert isinstance(model, Baseline)
        sizes = model.backbone
        with torch.device(model.device), torch.inference_mode():
            state.fill(tokens, sizes.kv_heads, sizes.head_dim, sizes.layers)
    else:
        fill_stack(state, tokens)
    return state
