"""A whole stack for exactly one new token per row, on a CPU in float32.

The counterpart of step.py, with which it shares its meaning; the one that speaks wherever there is
no GPU and the vectors are float32, which is so for 8-bit weights as well.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mamtra.backbone.attention import Attention
from mamtra.backbone.block import Block
from mamtra.backbone.numpy_layers import NumpyAttention, NumpyMamba, NumpyMLP, NumpyNorm
from mamtra.backbone.numpy_place import NumpyPlace
from mamtra.backbone.stack import Stack
from mamtra.backbone.state import KeyValueState, StackState
from mamtra.backbone.step_layers import Buffers


def steps_in_numpy(stack: Stack) -> bool:
    """Whether this form can run a stack: vectors are float32 and on a CPU."""
    weight = stack.norm.weight
    return weight.dtype is torch.float32 and weight.device.type == "cpu"


class NumpyLayer:
    """A block: norm, mixer, norm, MLP."""

    def __init__(self, block: Block, buffers: Buffers) -> None:
        mixer = block.mixer
        kind: Any = NumpyAttention if isinstance(mixer, Attention) else NumpyMamba
        self.mixer = kind(mixer, buffers)
        self.mlp = NumpyMLP(block.mlp, buffers)
        self.before_mixer = NumpyNorm(block.input_layernorm)
        self.before_mlp = NumpyNorm(block.post_attention_layernorm)


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
        self.layers = [NumpyLayer(block, buffers) for block in stack.blocks]
        self.norm = NumpyNorm(stack.norm)
        self.turns = "A" in config.layout or config.mamba_sizes.rotary
        self.place = NumpyPlace(rows, config.kv_heads, config.head_dim, config.rope_theta)

    @torch.inference_mode()
    @np.errstate(over="ignore")  # a gate far below zero divides by infinity, which is right
    def run(self, state: StackState) -> Float[Tensor, "rows dim"]:
        """Read ``hidden`` as the next token of each row, and move the state on.

        The result is a buffer that the next step overwrites.
        """
        hidden, array, place = self.hidden, self.hidden.numpy(), self.place
        for memory in state.layers:
            if isinstance(memory, KeyValueState):
                memory.reserve(max(state.positions) + 1)
        if self.turns:
            place.set(state.positions)
        for layer, memory in zip(self.layers, state.layers, strict=True):
            factor = layer.before_mixer.into(array, layer.mixer.project.vectors)
            layer.mixer(factor, hidden, place, memory)
            factor = layer.before_mlp.into(array, layer.mlp.project.vectors)
            layer.mlp(factor, hidden)
        normal = self.normal.numpy()
        np.multiply(normal, self.norm.into(array, normal), out=normal)
        state.positions = [position + 1 for position in state.positions]
        return self.normal
