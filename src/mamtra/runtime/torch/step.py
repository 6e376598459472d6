"""A whole stack for exactly one new token per row: what speaking does 25 times a second.

``StackStep`` belongs to a stack that was made ready (fuse.py) and to a number of rows. It holds
buffers, never memories: the state is an argument, as everywhere. ``run`` is the form for operations
one by one; ``replay_form`` is the same with nothing in it that depends on a number in Python, so
that a CUDA graph can record it once and replay it for every later token.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from mamtra.backbone.block import Block
from mamtra.backbone.stack import Stack
from mamtra.backbone.state import StackState
from mamtra.errors import ConfigError
from mamtra.runtime.torch.layers import Buffers, MLPStep, Norm, mixer_step
from mamtra.runtime.torch.positions import StepPositions, as_positions


def check_rows(hidden: Float[Tensor, "rows dim"], state: StackState) -> None:
    """Refuse tokens that do not fit a memory.

    Raises:
        ConfigError: their numbers of rows differ.
    """
    if len(state.positions) != len(hidden):
        raise ConfigError(
            f"{len(hidden)} tokens do not fit a memory of {len(state.positions)} rows; "
            "give one for each row"
        )


class LayerStep:
    """A block: norm, mixer, norm, MLP."""

    def __init__(self, block: Block, buffers: Buffers) -> None:
        self.mixer = mixer_step(block.mixer, buffers)
        self.mlp = MLPStep(block.mlp, buffers)
        self.before_mixer = Norm.of(block.input_layernorm)
        self.before_mlp = Norm.of(block.post_attention_layernorm)


class StackStep:
    """Buffers and views for steps of ``rows`` rows.

    Attributes:
        hidden: where the caller puts the embeddings of the new tokens; overwritten by ``run``.
    """

    def __init__(self, stack: Stack, rows: int) -> None:
        config, weight = stack.config, stack.norm.weight
        self.rows = rows
        buffers = Buffers(rows, weight.dtype, weight.device)
        self.hidden = buffers.get("hidden", config.dim)
        self.normal = buffers.get("normal", config.dim)
        self.exact = buffers.get("exact", config.dim, dtype=torch.float32)
        if weight.dtype is torch.float32:
            self.exact = self.normal
        self.layers = [LayerStep(block, buffers) for block in stack.blocks]
        self.norm = Norm.of(stack.norm)
        self.uses_positions = any(layer.mixer.uses_positions for layer in self.layers)
        self.step_positions = StepPositions(
            rows,
            config.kv_heads,
            config.head_dim,
            config.rope_theta,
            weight.dtype,
            weight.device,
            config.rope_scaling,
        )

    def through(self, state: StackState) -> Float[Tensor, "rows dim"]:
        """Run all layers; the result is a buffer that the next step overwrites."""
        hidden, normal, exact, step_positions = (
            self.hidden,
            self.normal,
            self.exact,
            self.step_positions,
        )
        for layer, memory in zip(self.layers, state.layers, strict=True):
            layer.before_mixer.into(hidden, exact, normal)
            layer.mixer(normal, hidden, step_positions, memory)
            layer.before_mlp.into(hidden, exact, normal)
            layer.mlp(normal, hidden)
        self.norm.into(hidden, exact, normal)
        return normal

    def run(self, state: StackState) -> Float[Tensor, "rows dim"]:
        """Read ``hidden`` as the next token of each row, and move the state on.

        Raises:
            ConfigError: the state has another number of rows.
        """
        check_rows(self.hidden, state)
        positions = state.positions
        end = max(positions) + 1
        state.reserve(end)
        self.step_positions.starts = tuple(positions)
        if self.uses_positions:
            if min(positions) + 1 == end:
                self.step_positions.set_shared(positions[0])
            else:
                self.step_positions.positions.copy_(as_positions(positions, self.hidden.device))
                self.step_positions.set_each(end)
        output = self.through(state)
        state.positions = [position + 1 for position in positions]
        return output

    def replay_form(self, state: StackState, cache_len: int) -> Float[Tensor, "rows dim"]:
        """The same for positions in ``step_positions.positions``, all below ``cache_len``.

        The caller moves positions on, in the tensor and in the state, and sees to it that the
        memories have room.
        """
        self.step_positions.starts = ()
        if self.uses_positions:
            self.step_positions.set_each(cache_len)
        return self.through(state)
