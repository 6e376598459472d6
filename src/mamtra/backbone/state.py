"""What a stack remembers of the tokens it has read: one memory per layer, each of which knows its
bytes.

An attention layer keeps the keys and values of every token (it grows with time, in steps). A
recurrent layer (Mamba, Gated DeltaNet) keeps one matrix per head and the last few inputs of its
short convolution (it never grows). A memory is an argument: the modules that read it update it in
place and hold nothing themselves.

Rows of a batch may have read different numbers of tokens; ``StackState.positions`` counts them.

Axes: b batch, h heads, t time, d head width, s state width, c channels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mamtra.backbone.mixers.mixer import State

GROWTH_TOKENS = 256  # capacity is rounded up to this; a growth copies the memory once


@dataclass(slots=True)
class KeyValueState(State):
    """Keys and values of the tokens an attention layer has read, with room for more."""

    keys: Float[Tensor, "batch kv_heads capacity head_dim"]
    values: Float[Tensor, "batch kv_heads capacity head_dim"]

    @property
    def capacity(self) -> int:
        """Tokens that fit before the memory must grow."""
        return self.keys.shape[2]

    def reserve(self, tokens: int) -> None:
        """Grow so that ``tokens`` fit in each row."""
        missing = -(-tokens // GROWTH_TOKENS) * GROWTH_TOKENS - self.capacity
        if tokens > self.capacity:
            room = self.keys.new_zeros(*self.keys.shape[:2], missing, self.keys.shape[3])
            self.keys = torch.cat([self.keys, room], dim=2)
            self.values = torch.cat([self.values, room], dim=2)

    def copy_row(self, row: int, other: State, other_row: int, tokens: int) -> None:
        """Overwrite a row with a row of another memory; grows if it must."""
        self.reserve(tokens)
        for mine, theirs in zip(self.tensors, other.tensors, strict=True):
            mine[row, :, :tokens] = theirs[other_row, :, :tokens]

    def copy_from(self, other: State) -> None:
        """Copy as many tokens as both have room for."""
        for mine, theirs in zip(self.tensors, other.tensors, strict=True):
            shared = min(mine.shape[2], theirs.shape[2])
            mine[:, :, :shared].copy_(theirs[:, :, :shared])


@dataclass(slots=True)
class ScanState(State):
    """Constant-size memory of a recurrent layer: the recurrence, the convolution's last inputs."""

    scan: Float[Tensor, "batch states state_dim width"]
    window: Float[Tensor, "batch taps channels"]


@dataclass(slots=True, weakref_slot=True)
class StackState:
    """The memories of all layers and the number of tokens each row has read."""

    layers: Sequence[State]
    positions: list[int]

    @property
    def nbytes(self) -> int:
        """Bytes held now by all layers."""
        return sum(layer.nbytes for layer in self.layers)

    def reserve(self, tokens: int) -> None:
        """Make room for ``tokens`` in each row of every layer."""
        for layer in self.layers:
            layer.reserve(tokens)

    def keep_rows(self, rows: list[int]) -> None:
        """Keep only these rows of the batch, in this order; finished rows are dropped this way."""
        for layer in self.layers:
            layer.keep_rows(rows)
        self.positions = [self.positions[row] for row in rows]

    @torch.inference_mode()
    def copy_row(self, row: int, other: "StackState", other_row: int = 0) -> None:
        """Overwrite a row with a row of another memory of the same stack.

        What the row held before is forgotten; the other rows go on as they were.
        """
        tokens = other.positions[other_row]
        for mine, theirs in zip(self.layers, other.layers, strict=True):
            mine.copy_row(row, theirs, other_row, tokens)
        self.positions[row] = tokens
