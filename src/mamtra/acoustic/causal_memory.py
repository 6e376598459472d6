"""What a network remembers of earlier frames or tokens, so that a stream goes on from them.

With chunk masks every frame sees its own chunk and what lies before: convolutions the last few
inputs, attention keys and values. A memory holds these for the velocity network in one Euler step,
or for the token encoder's layers at one rate; a module that gets one takes what it held, leaves
what it will need, and so must be run in the same order each time. All keys and values of a flow
would be 4.6 MB a frame for CosyVoice 2 (float32, ten steps, two rows), so a memory may hold a
bounded number of frames: what a later frame then sees no longer is the whole.
"""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad


@dataclass(slots=True)
class CausalMemory:
    """Earlier frames, or tokens, as one network saw them.

    Attributes:
        context: frames of which keys and values are held; None for all.
        frames: that were seen.
        held: tensors in the order in which modules ask for them; never changed in place.
    """

    context: int | None = None
    frames: int = 0
    held: list[Tensor] = field(default_factory=list[Tensor])
    cursor: int = 0

    def begin(self) -> None:
        """Before a pass of the network."""
        self.cursor = 0

    def end(self, frames: int) -> None:
        """After a pass over so many frames."""
        self.frames += frames

    @property
    def known(self) -> int:
        """Frames of which keys and values are held."""
        return self.frames if self.context is None else min(self.frames, self.context)

    def copy(self) -> "CausalMemory":
        """Another that goes on from the same frames."""
        return CausalMemory(self.context, self.frames, list(self.held))

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(tensor.nbytes for tensor in self.held)

    def held_now(self, empty: Tensor) -> Tensor:
        """What the asking module left behind; ``empty`` before the first frame."""
        return self.held[self.cursor] if self.cursor < len(self.held) else empty

    def leave(self, kept: Tensor) -> None:
        """Hold a copy for the asking module's next frames, and let the next module ask."""
        self.held[self.cursor : self.cursor + 1] = [kept.clone()]
        self.cursor += 1

    def behind(
        self, hidden: Float[Tensor, "batch channels time"], reach: int
    ) -> Float[Tensor, "batch channels longer"]:
        """New inputs of a causal convolution behind the last ``reach`` ones; zeros at the start."""
        before = self.held_now(pad(hidden[..., :0], (reach, 0)))
        joined = torch.cat([before, hidden], -1)
        self.leave(joined[..., joined.shape[-1] - reach :])
        return joined

    def extended(
        self, new: Float[Tensor, "batch heads time width"]
    ) -> Float[Tensor, "batch heads longer width"]:
        """Keys or values of new frames behind those that are held."""
        joined = torch.cat([self.held_now(new[:, :, :0]), new], 2)
        most = joined.shape[2] if self.context is None else self.context
        self.leave(joined[:, :, max(0, joined.shape[2] - most) :])
        return joined


@dataclass(frozen=True, slots=True)
class EncoderMemory:
    """What the layers before and after the doubling of the rate remember of earlier chunks."""

    lower: CausalMemory
    upper: CausalMemory

    @classmethod
    def empty(cls, frames_per_token: int, context: int | None) -> "EncoderMemory":
        """Before the first token; keys and values of ``context`` frames will be held, or of all."""
        tokens = None if context is None else context // frames_per_token
        return cls(CausalMemory(tokens), CausalMemory(context))

    def begin(self) -> None:
        """Before a chunk."""
        self.lower.begin()
        self.upper.begin()

    def copy(self) -> "EncoderMemory":
        """Another that goes on from the same tokens."""
        return EncoderMemory(self.lower.copy(), self.upper.copy())

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.lower.nbytes + self.upper.nbytes


def behind(
    hidden: Float[Tensor, "batch channels time"], reach: int, memory: CausalMemory | None
) -> Float[Tensor, "batch channels longer"]:
    """Inputs of a causal convolution with what lies before them: zeros without a memory."""
    return pad(hidden, (reach, 0)) if memory is None else memory.behind(hidden, reach)
