"""A whole stack for exactly one new token per row, on a CPU in float32.

The counterpart of step.py, with which it shares its meaning; the one that speaks wherever there is
no GPU and the vectors are float32, which is so for 8-bit weights as well.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
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
from mamtra.errors import ConfigError
from mamtra.runtime.torch.int8 import Int8Linear
from mamtra.runtime.torch.int8_kernels import ONE_AT_A_TIME, CompiledKernel
from mamtra.runtime.torch.layers import QUICK_STEPS, Buffers
from mamtra.runtime.torch.numpy_layers import NumpyLayer, NumpyNorm
from mamtra.runtime.torch.numpy_positions import NumpyPlace


def steps_in_numpy(stack: Stack) -> bool:
    """Whether this form can run a stack: vectors are float32 and on a CPU."""
    weight = stack.norm.weight
    return weight.dtype is torch.float32 and weight.device.type == "cpu"


def is_compiled(block: Block) -> bool:
    """Whether the weights of a block are packed for compiled code."""
    first = block.mlp.gate_up_proj
    return isinstance(first, Int8Linear) and isinstance(first.kernel, CompiledKernel)


@contextmanager
def alone() -> Iterator[None]:
    """Inside, compiled code runs for this thread only, on as many threads as PyTorch's."""
    with ONE_AT_A_TIME, CompiledKernel.code.as_many_threads():
        yield


class ModuleLayer:
    """A block whose mixer has no quick form: its modules read the token."""

    def __init__(self, block: Block) -> None:
        self.block = block

    def __call__(self, hidden: Tensor, place: NumpyPlace, state: State) -> None:
        """Move the memory on, and ``hidden`` through the block."""
        token, starts = hidden.unsqueeze(1), tuple(place.positions.tolist())
        positions = positions_of(token, place.head_dim, place.theta, starts)
        hidden.copy_(self.block(token, positions, state)[:, 0])


def layer_of(block: Block, buffers: Buffers) -> Any:
    """A block in the form that its mixer and its weights allow."""
    if type(block.mixer) not in QUICK_STEPS:
        return ModuleLayer(block)
    if is_compiled(block):
        from mamtra.runtime.torch.compiled_layers import CompiledLayer

        return CompiledLayer(block, buffers)
    return NumpyLayer(block, buffers)


class NumpyStep:
    """Buffers and views for steps of ``rows`` rows; belongs to a stack that was made ready.

    Attributes:
        hidden: where the caller puts the embeddings of the new tokens; overwritten by ``run``.
    """

    @torch.inference_mode()
    def __init__(self, stack: Stack, rows: int) -> None:
        config = stack.config
        buffers = Buffers(rows, torch.float32, torch.device("cpu"))
        self.hidden = buffers.get("hidden", config.dim)
        self.normal = buffers.get("normal", config.dim)
        self.layers = [layer_of(block, buffers) for block in stack.blocks]
        self.norm = NumpyNorm(stack.norm)
        compiled = bool(stack.blocks) and is_compiled(stack.blocks[0])
        self.alone = alone if compiled else nullcontext
        self.uses_positions = config.layout.strip("M") != "" or config.mamba_sizes.rotary
        self.place = NumpyPlace(rows, config.kv_heads, config.head_dim, config.rope_theta)

    @torch.inference_mode()
    @np.errstate(over="ignore")  # a gate far below zero divides by infinity, which is right
    def run(self, state: StackState) -> Float[Tensor, "rows dim"]:
        """Read ``hidden`` as the next token of each row, and move the state on.

        The result is a buffer that the next step overwrites.
        """
        hidden, place = self.hidden, self.place
        if len(state.positions) != len(hidden):
            raise ConfigError(
                f"{len(hidden)} tokens do not fit a memory of {len(state.positions)} rows; "
                "give one for each row"
            )
        state.reserve(max(state.positions) + 1)
        if self.uses_positions:
            place.set(state.positions)
        with self.alone():
            for layer, memory in zip(self.layers, state.layers, strict=True):
                layer(hidden, place, memory)
        normal = self.normal.numpy()
        np.multiply(normal, self.norm.into(hidden.numpy(), normal), out=normal)
        state.positions = [position + 1 for position in state.positions]
        return self.normal
