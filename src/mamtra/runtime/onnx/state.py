"""What a speech language model on onnxruntime remembers: arrays that its graph reads and writes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from mamtra.errors import ConfigError

GROWTH_TOKENS = 256  # capacity of caches is rounded up to this; a growth copies them once


def check_prompts(rows: int, held: int) -> None:
    """Refuse prompts for other rows than a state holds.

    Raises:
        ConfigError: they are not as many.
    """
    if rows != held:
        raise ConfigError(f"{rows} rows do not fit a state of {held}; give one for each row")


def check_ids(ids: int, held: int) -> None:
    """Refuse ids for more rows than a state holds.

    Raises:
        ConfigError: there are more, or none.
    """
    if not 0 < ids <= held:
        raise ConfigError(
            f"{ids} ids do not fit a state of {held} rows; give one for each row that goes on"
        )


def read_so_far(array: np.ndarray, tokens: int, axis: int) -> np.ndarray:
    """The part of a cache that so many ids fill."""
    return array[(slice(None),) * axis + (slice(tokens),)]


@dataclass(slots=True, eq=False)
class OnnxState:
    """What a speech model remembers: one array for each state of the graph, rows first.

    Attributes:
        arrays: by the graph's names.
        cached: the axis along which those grow that grow with the ids read, by their names.
        positions: ids that each row has read.
        steps: the graph bound to the first rows, by their number.
        queries: of the reading head, where it is known.
    """

    arrays: dict[str, np.ndarray]
    cached: dict[str, int]
    positions: list[int]
    queries: Float[np.ndarray, "rows room width"] | None = None
    steps: dict[int, "Step"] = field(default_factory=dict, repr=False)

    @property
    def nbytes(self) -> int:
        """Bytes held now by all rows, spare capacity included."""
        own = 0 if self.queries is None else self.queries.nbytes
        return own + sum(array.nbytes for array in self.arrays.values())

    @property
    def capacity(self) -> int:
        """Ids that fit before the state must grow; without caches, any number."""
        return min(
            (self.arrays[name].shape[axis] for name, axis in self.cached.items()), default=2**62
        )

    def reserve(self, tokens: int) -> None:
        """Grow so that so many ids fit in each row."""
        if tokens <= self.capacity:
            return
        room = -(-tokens // GROWTH_TOKENS) * GROWTH_TOKENS
        for name, axis in self.cached.items():
            old = self.arrays[name]
            new = np.zeros((*old.shape[:axis], room, *old.shape[axis + 1 :]), old.dtype)
            read_so_far(new, old.shape[axis], axis)[...] = old
            self.arrays[name] = new
        if self.queries is not None:
            old = self.queries
            self.queries = np.zeros((len(old), room, old.shape[2]), np.float32)
            self.queries[:, : old.shape[1]] = old
        self.steps.clear()

    def turn(self, cached: dict[str, int]) -> None:
        """Lay the caches as another graph of the same model wants them, which is what it grows."""
        if self.cached == cached:
            return
        for name, axis in cached.items():
            if self.cached[name] != axis:
                turned = self.arrays[name].swapaxes(axis, self.cached[name])
                self.arrays[name] = np.ascontiguousarray(turned)
        self.cached = cached
        self.steps.clear()

    def keep_rows(self, rows: list[int]) -> None:
        """Keep only these rows, in this order."""
        self.arrays = {name: array[rows] for name, array in self.arrays.items()}
        self.positions = [self.positions[row] for row in rows]
        self.queries = None if self.queries is None else self.queries[rows]
        self.steps.clear()

    def copy_row(self, row: int, other: "OnnxState", other_row: int = 0) -> None:
        """Overwrite a row with a row of another state of the same model."""
        tokens = other.positions[other_row]
        self.reserve(tokens)
        other.turn(self.cached)
        for name, array in self.arrays.items():
            mine, theirs = array[row], other.arrays[name][other_row]
            if name in self.cached:
                axis = self.cached[name] - 1
                mine, theirs = (read_so_far(each, tokens, axis) for each in (mine, theirs))
            mine[...] = theirs
        if self.queries is not None and other.queries is not None:
            self.queries[row, :tokens] = other.queries[other_row, :tokens]
        self.positions[row] = tokens


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """What a row is given to read.

    Attributes:
        ids: in the graph's numbering: special ids, speech ids, text ids, vectors of the voice.
        places: of learned positions; 0 for none.
        voice: for a graph that reads voices.
    """

    ids: Sequence[int]
    places: Sequence[int] | int = 0
    voice: Float[np.ndarray, "vectors dim"] | None = None


@dataclass(slots=True, eq=False)
class Step:
    """Rows of a state bound to the graph, with the arrays that change from pass to pass.

    Attributes:
        session: of the graph, which must outlive what is bound to it.
        places: learned positions, for a graph that has them.
    """

    session: Any
    binding: Any
    ids: Int[np.ndarray, "rows time"]
    positions: Int[np.ndarray, "rows time"]
    places: Int[np.ndarray, "rows time"]
    logits: Float[np.ndarray, "rows ids"]
    queries: Float[np.ndarray, "rows time width"] | None
    tables: int
