"""One text on its way through the speech language model: the request, and the row that it becomes.

A row has its own random generator and its own watchdog, so what it says depends on nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mamtra.backbone import StackState
from mamtra.errors import TextError
from mamtra.generation.guard import GuardConfig, StopReason, Watchdog
from mamtra.generation.sampling import seeded
from mamtra.speech_lm import Segment, SpeechVocabulary, zero_shot


@runtime_checkable
class SpeechModel(Protocol):
    """What speaks: a ``SpeechLM``, or an engine that runs one."""

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        ...

    @property
    def vocabulary(self) -> SpeechVocabulary:
        """The speech ids."""
        ...

    def new_state(self, batch: int, capacity_hint: int = 0) -> StackState:
        """An empty memory for so many rows."""
        ...

    def read(
        self, rows: Sequence[Sequence[Segment]], state: StackState
    ) -> Float[Tensor, "batch ids"]:
        """Continue each row by segments; logits of the id that follows each row's last one."""
        ...

    def step(self, ids: Int[Tensor, " batch"], state: StackState) -> Float[Tensor, "batch ids"]:
        """Continue each row by one speech id; logits of the next."""
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """One text to speak.

    Attributes:
        segments: what the model reads before it speaks.
        text_tokens: text ids that are to be spoken, without those of a prompt.
    """

    segments: tuple[Segment, ...]
    text_tokens: int
    seed: int = 0

    def __post_init__(self) -> None:
        if self.text_tokens < 1:
            raise TextError("there is no text to speak; give at least one text id")

    @classmethod
    def of(
        cls,
        text: Sequence[int],
        prompt_text: Sequence[int] = (),
        prompt_speech: Sequence[int] = (),
        seed: int = 0,
    ) -> "Request":
        """Speak text ids, as the continuation of a prompt if there is one.

        Raises:
            TextError: there is no text.
        """
        return cls(tuple(zero_shot(text, prompt_text, prompt_speech)), len(text), seed)

    @property
    def length(self) -> int:
        """Ids that are read before the first is drawn."""
        return sum(len(segment.ids) for segment in self.segments)


@dataclass(frozen=True, slots=True)
class Token:
    """A speech id that was just drawn."""

    row: int
    id: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """The end of a row.

    Attributes:
        surplus: how many of its last ids belong to a loop or to silence.
        state_bytes: what the model's memory of the row took at the end, room included.
    """

    row: int
    reason: StopReason
    surplus: int = 0
    state_bytes: int = field(default=0, compare=False)


@dataclass(slots=True)
class Row:
    """A text while it is spoken: what was drawn, and what stops it."""

    index: int
    generator: torch.Generator
    watchdog: Watchdog
    least: int
    most: int
    history: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, index: int, request: Request, guard: GuardConfig) -> "Row":
        """A row that has said nothing yet."""
        least, most = guard.least(request.text_tokens), guard.most(request.text_tokens)
        return cls(index, seeded(request.seed), Watchdog(guard), least, most)

    def forbidden(self, vocabulary: SpeechVocabulary) -> tuple[int, ...]:
        """Ids that may not come next: never the unused and the fill mark, nor an early end."""
        never = (vocabulary.unused, vocabulary.fill)
        return never if len(self.history) >= self.least else (vocabulary.end, *never)

    def take(self, token: int) -> StopReason | None:
        """Note an id; a reason to stop after it, if there is one."""
        self.history.append(token)
        reason = self.watchdog.see(token)
        return reason or ("budget" if len(self.history) >= self.most else None)

    def stopped(self, reason: StopReason, state_bytes: int) -> Stopped:
        """The record that ends this row."""
        looped = reason in ("repetition", "silence")
        return Stopped(self.index, reason, self.watchdog.surplus if looped else 0, state_bytes)
