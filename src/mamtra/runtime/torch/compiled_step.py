"""A whole stack of 8-bit weights for exactly one new token per row, by code compiled for the CPU.

The counterpart of step.py, with which it shares its meaning.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mamtra.backbone.block import Block
from mamtra.backbone.mixers.mixer import State
from mamtra.backbone.positions import positions_of
from mamtra.backbone.stack import Stack
from mamtra.backbone.state import StackState
from mamtra.runtime.torch.compiled_positions import RowPositions
from mamtra.runtime.torch.int8 import Int8Linear
from mamtra.runtime.torch.int8_kernels import ONE_AT_A_TIME, CompiledKernel
from mamtra.runtime.torch.layers import QUICK_STEPS, Buffers
from mamtra.runtime.torch.step import check_rows


def is_compiled(stack: Stack) -> bool:
    """Whether the weights of a stack are packed for compiled code."""
    return any(isinstance(block.mlp.gate_up_proj, Int8Linear) for block in stack.blocks)


@contextmanager
def alone() -> Iterator[None]:
    """Inside, compiled code runs for this thread only, on as many threads as PyTorch's."""
    with ONE_AT_A_TIME, CompiledKernel.code.as_many_threads():
        yield


class ModuleLayer:
    """A block whose mixer has no quick form: its modules read the token, one row after the other.

    Row by row, because PyTorch rounds by where a number lies in a vector, and a row must not hear
    of those beside it.
    """

    def __init__(self, block: Block) -> None:
        self.block = block

    def __call__(self, hidden: Tensor, step_positions: RowPositions, state: State) -> None:
        """Move the memory on, and ``hidden`` through the block."""
        for row, start in enumerate(step_positions.positions.tolist()):
            token, own = hidden[row : row + 1, None], copy(state)
            own.set_tensors([tensor[row : row + 1] for tensor in state.tensors])
            positions = positions_of(
                token,
                step_positions.head_dim,
                step_positions.theta,
                (start,),
                scaling=step_positions.scaling,
            )
            hidden[row] = self.block(token, positions, own)[0, 0]
            for whole, moved in zip(state.tensors, own.tensors, strict=True):
                whole[row] = moved[0]


def layer_of(block: Block, buffers: Buffers) -> Any:
    """A block in the form that its mixer allows."""
    if type(block.mixer) not in QUICK_STEPS:
        return ModuleLayer(block)
    from mamtra.runtime.torch.compiled_layers import CompiledLayer

    return CompiledLayer(block, buffers)


class CompiledStep:
    """Buffers and views for steps of ``rows`` rows; belongs to a stack that was made ready.

    Attributes:
        hidden: where the caller puts the embeddings of the new tokens; overwritten by ``run``.
    """

    @torch.inference_mode()
    def __init__(self, stack: Stack, rows: int) -> None:
        config = stack.config
        buffers = Buffers(rows, torch.float32, torch.device("cpu"))
        self.hidden = buffers.get("hidden", config.dim)
        self.layers = [layer_of(block, buffers) for block in stack.blocks]
        self.norm = stack.norm
        self.uses_positions = config.layout.strip("M") != "" or config.mamba_sizes.rotary
        self.step_positions = RowPositions(
            rows, config.head_dim, config.rope_theta, config.rope_scaling
        )

    @torch.inference_mode()
    @np.errstate(over="ignore")  # a gate far below zero divides by infinity, which is right
    def run(self, state: StackState) -> Float[Tensor, "rows dim"]:
        """Read ``hidden`` as the next token of each row, and move the state on.

        Raises:
            ConfigError: the state has another number of rows.
        """
        hidden, step_positions = self.hidden, self.step_positions
        check_rows(hidden, state)
        state.reserve(max(state.positions) + 1)
        if self.uses_positions:
            step_positions.set(state.positions)
        with alone():
            for layer, memory in zip(self.layers, state.layers, strict=True):
                layer(hidden, step_positions, memory)
        state.positions = [position + 1 for position in state.positions]
        return self.norm(hidden)
