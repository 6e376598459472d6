"""What a stack remembers of the tokens it has read: one memory per layer, each of which knows its
bytes.

An attention layer keeps the keys and values of every token (it grows with time, in steps). A Mamba
layer keeps one matrix per head and the last few inputs of its short convolution (it never grows). A
memory is an argument: the modules that read it update it in place and hold nothing themselves.

Rows of a batch may have read different numbers of tokens; ``StackState.positions`` counts them.

Axes: b batch, h heads, t time, d head width, s state width, c channels.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

GROWTH_TOKENS = 256  # capacity is rounded up to this; a growth copies the memory once


@dataclass(slots=True)
class KeyValueState:
    """Keys and values of the tokens an attention layer has read, with room for more."""

    keys: Float[Tensor, "batch kv_heads capacity head_dim"]
    values: Float[Tensor, "batch kv_heads capacity head_dim"]

    @property
    def capacity(self) -> int:
        """Tokens that fit before the memory must grow."""
        return self.keys.shape[2]

    @property
    def nbytes(self) -> int:
        """Bytes held now, room included."""
        return self.keys.nbytes + self.values.nbytes

    def reserve(self, tokens: int) -> None:
        """Grow so that ``tokens`` fit in each row."""
        missing = -(-tokens // GROWTH_TOKENS) * GROWTH_TOKENS - self.capacity
        if tokens > self.capacity:
            room = self.keys.new_zeros(*self.keys.shape[:2], missing, self.keys.shape[3])
            self.keys = torch.cat([self.keys, room], dim=2)
            self.values = torch.cat([self.values, room], dim=2)

    def keep_rows(self, rows: list[int]) -> None:
        """Keep only these rows of the batch, in this order."""
        self.keys, self.values = self.keys[rows], self.values[rows]

    def place(self, row: int, other: "KeyValueState", other_row: int, tokens: int) -> None:
        """Let a row remember what a row of another memory does; grows if it must."""
        self.reserve(tokens)
        self.keys[row, :, :tokens] = other.keys[other_row, :, :tokens]
        self.values[row, :, :tokens] = other.values[other_row, :, :tokens]


@dataclass(slots=True)
class ScanState:
    """Constant-size memory of a Mamba layer: the recurrence and the convolution's last inputs."""

    scan: Float[Tensor, "batch states state_dim width"]
    window: Float[Tensor, "batch taps channels"]

    @property
    def nbytes(self) -> int:
        """Bytes held now; does not grow with time."""
        return self.scan.nbytes + self.window.nbytes

    def keep_rows(self, rows: list[int]) -> None:
        """Keep only these rows of the batch, in this order."""
        self.scan, self.window = self.scan[rows], self.window[rows]

    def place(self, row: int, other: "ScanState", other_row: int, tokens: int) -> None:
        """Let a row remember what a row of another memory does, however many tokens it read."""
        del tokens
        self.scan[row] = other.scan[other_row]
        self.window[row] = other.window[other_row]


LayerState = KeyValueState | ScanState


@dataclass(slots=True, weakref_slot=True)
class StackState:
    """The memories of all layers and the number of tokens each row has read."""

    layers: list[LayerState]
    positions: list[int]

    @property
    def nbytes(self) -> int:
        """Bytes held now by all layers."""
        return sum(layer.nbytes for layer in self.layers)

    def keep_rows(self, rows: list[int]) -> None:
        """Keep only these rows of the batch, in this order; finished rows are dropped this way."""
        for layer in self.layers:
            layer.keep_rows(rows)
        self.positions = [self.positions[row] for row in rows]

    @torch.inference_mode()
    def place(self, row: int, other: "StackState", other_row: int = 0) -> None:
        """Overwrite a row with a row of another memory of the same stack.

        What the row held before is forgotten; the other rows go on as they were.
        """
        tokens = other.positions[other_row]
        for mine, theirs in zip(self.layers, other.layers, strict=True):
            mine.place(row, theirs, other_row, tokens)  # pyright: ignore[reportArgumentType]
        self.positions[row] = tokens
