"""What a flow's graph remembers of earlier frames, so that a stream goes on from them.

Each pass of each Euler step has arrays of its own: the last inputs of its convolutions, keys and
values of a bounded number of frames. Attention knows no order among these, so once as many are held
as may be, new ones are written over the oldest.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from mamtra.runtime.onnx.token_encoder import Memory as EncoderMemory
from mamtra.runtime.protocols import EncodedPrompt

CACHES = "known"  # the input with an entry for each frame: keys and values of all layers


@dataclass(frozen=True, slots=True)
class GraphInput:
    """An input of a graph; a size that may change is no number, or -1."""

    name: str
    shape: Sequence[Any]
    dtype: Any


def new_name(name: str) -> str:
    """The output that makes up an input of the next chunk."""
    return f"{'new' if name == CACHES else 'next'}.{name}"


@dataclass(slots=True)
class StepMemory:
    """Earlier frames as one Euler step saw them.

    Attributes:
        context: frames of which keys and values are held.
        arrays: by the name of the graph's input.
        oldest: where the oldest frame lies.
        shared: another state uses the same arrays, so they must not be written to.
        taken: of the last chunk, which joins the rest when the next one comes: sound does not wait.
    """

    context: int
    arrays: dict[str, np.ndarray]
    oldest: int = 0
    shared: bool = False
    taken: Sequence[np.ndarray] = ()

    @classmethod
    def empty(cls, context: int, inputs: Sequence[GraphInput]) -> "StepMemory":
        """Before the first frame: zeros, and no keys and values.

        Args:
            context: frames that will be held.
            inputs: of the graph; those of other names are left out.
        """
        arrays = {}
        for entry in inputs:
            if entry.name == CACHES:
                rows, heads, _, width = entry.shape
                arrays[entry.name] = np.zeros((rows, heads, 0, width), entry.dtype)
            elif entry.name.startswith("held."):
                arrays[entry.name] = np.zeros(entry.shape, entry.dtype)
        return cls(context, arrays)

    def copy(self) -> "StepMemory":
        """Another that goes on from the same frames; nothing is copied until it is written to."""
        self.settle()
        self.shared = True
        return StepMemory(self.context, dict(self.arrays), self.oldest, shared=True)

    @property
    def outputs(self) -> list[str]:
        """Names of the graph's outputs that are taken, in the order of the arrays."""
        return [new_name(name) for name in self.arrays]

    def settle(self) -> None:
        """Let the frames that a graph was run over join those before."""
        if not self.taken:
            return
        oldest = self.oldest
        for (name, held), array in zip([*self.arrays.items()], self.taken, strict=True):
            if name != CACHES:
                self.arrays[name] = array
                continue
            frames = array.shape[2]
            if frames >= self.context:
                self.arrays[name], oldest = np.ascontiguousarray(array[:, :, -self.context :]), 0
            elif held.shape[2] < self.context:
                joined = np.concatenate([*self._by_age(), array], 2)[:, :, -self.context :]
                self.arrays[name], oldest = np.ascontiguousarray(joined), 0
            else:
                own = self.arrays[name] = held.copy() if self.shared else held
                places = np.arange(self.oldest, self.oldest + frames) % self.context
                own[:, :, places] = array
                oldest = (self.oldest + frames) % self.context
        self.oldest, self.shared, self.taken = oldest, False, ()

    def _by_age(self) -> list[np.ndarray]:
        """Keys and values that are held: those from the oldest on, and those before it."""
        held = self.arrays[CACHES]
        return [held[:, :, self.oldest :], held[:, :, : self.oldest]]

    def put_in_order(self) -> None:
        """Let the oldest frame lie first."""
        self.settle()
        if self.oldest:
            self.arrays[CACHES] = np.concatenate(self._by_age(), 2)
            self.oldest = 0

    @property
    def full(self) -> bool:
        """Whether keys and values of as many frames are held as may be."""
        self.settle()
        return self.arrays[CACHES].shape[2] == self.context

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        self.settle()
        return sum(array.nbytes for array in self.arrays.values())


@dataclass(slots=True, kw_only=True)
class FlowState:
    """What a decoder remembers of an utterance.

    Attributes:
        frames: mel frames that were made, those of the prompt included.
        encoded: what the token encoder remembers.
        memories: of each Euler step's passes.
    """

    voice: EncodedPrompt
    noise: Float[np.ndarray, "bins noise_frames"]
    frames: int = 0
    encoded: EncoderMemory = field(default_factory=dict[str, np.ndarray])
    memories: list[list[StepMemory]] = field(default_factory=list[list[StepMemory]])

    @property
    def full(self) -> bool:
        """Whether a pass sees as many frames before it as any that follows."""
        return self.memories[0][0].full

    def copy(self) -> "FlowState":
        """Another that goes on from the same frames."""
        memories = [[memory.copy() for memory in passes] for passes in self.memories]
        return replace(self, memories=memories)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        flow = sum(memory.nbytes for passes in self.memories for memory in passes)
        return flow + sum(array.nbytes for array in self.encoded.values())
