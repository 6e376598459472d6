"""What a mixer over time and its memory must offer: all that the rest of the code knows of them.

A mixer is a module whose weights never change while it runs; what it remembers of the tokens it has
read is a ``State``, an argument that it updates in place. Which letter of a layout builds which
mixer is a table in ``backbone/config.py``.

Axes: b batch, t time, d dim.
"""

from dataclasses import dataclass, fields
from functools import cache
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from mamtra.backbone.positions import Positions


@cache
def names_in(kind: type["State"]) -> tuple[str, ...]:
    """The names of a memory's tensors; every step of every layer asks for them."""
    return tuple(field.name for field in fields(kind))


@dataclass(slots=True)
class State:
    """Memory of one layer for the rows of a batch: its fields are tensors, a row for each.

    It is of constant size, unless a kind of memory says otherwise.
    """

    @property
    def tensors(self) -> list[Tensor]:
        """The tensors that hold it, in a fixed order."""
        return [getattr(self, name) for name in names_in(type(self))]

    def set_tensors(self, tensors: list[Tensor]) -> None:
        """Hold the memory in these tensors, in the order of ``tensors``; nothing is copied."""
        for name, tensor in zip(names_in(type(self)), tensors, strict=True):
            setattr(self, name, tensor)

    @property
    def nbytes(self) -> int:
        """Bytes held now, spare capacity included."""
        return sum(tensor.nbytes for tensor in self.tensors)

    @property
    def capacity(self) -> int | None:
        """Tokens that fit before the memory must grow; None where it never grows."""
        return None

    def reserve(self, tokens: int) -> None:
        """Make room for ``tokens`` in each row; a memory that never grows has it already."""

    def keep_rows(self, rows: list[int]) -> None:
        """Keep only these rows of the batch, in this order."""
        self.set_tensors([tensor[rows] for tensor in self.tensors])

    def copy_row(self, row: int, other: "State", other_row: int, tokens: int) -> None:
        """Overwrite a row with a row, of ``tokens`` tokens, of another memory of the same layer."""
        del tokens
        for mine, theirs in zip(self.tensors, other.tensors, strict=True):
            mine[row] = theirs[other_row]

    def copy_from(self, other: "State") -> None:
        """Copy another memory of the same layer and rows into these tensors, as far as both go."""
        for mine, theirs in zip(self.tensors, other.tensors, strict=True):
            mine.copy_(theirs)


@runtime_checkable
class Mixer(Protocol):
    """Mixes over time; every implementation is a module."""

    def __call__(
        self,
        hidden: Float[Tensor, "batch time dim"],
        positions: Positions,
        state: State | None = None,
    ) -> Float[Tensor, "batch time dim"]:
        """Mix the new tokens with those before them.

        Args:
            hidden: the new tokens, padded on the right.
            positions: where they stand.
            state: continue each row from here, and leave the memory after its last real token here.
        """
        ...

    def new_state(
        self, batch: int, capacity: int, dtype: torch.dtype, device: torch.device | str
    ) -> State:
        """An empty memory with room for ``capacity`` tokens.

        What is no recurrence is stored in ``dtype``; recurrences are float32 always.
        """
        ...
