"""One text on its way through the speech language model: the request, and the row that it becomes.

A row has its own random source and its own loop detector, so what it says depends on nothing else.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mamtra.errors import TextError
from mamtra.generation.guard import GuardConfig, LoopDetector, StopReason
from mamtra.generation.randomness import RandomSource, seeded
from mamtra.speech_lm.prompt import Segment, zero_shot
from mamtra.speech_lm.vocabulary import SpeechVocabulary


@dataclass(frozen=True, slots=True)
class Request:
    """One text to speak.

    Attributes:
        segments: what the model reads before it speaks.
        text_tokens: text ids that are to be spoken, without those of a prompt; the last ones of the
            last text segment.
        words: where each word lies in them, first id and the one after its last.
        parts: makes requests for shorter texts that say the same one after the other, with any
            seed; none where the text should not be cut.
        proofread: how badly speech ids say the text, 0 where nothing is wrong with them; None where
            nobody can tell.
    """

    segments: tuple[Segment, ...]
    text_tokens: int
    seed: int = 0
    words: tuple[tuple[int, int], ...] = ()
    parts: "Callable[[], Sequence[Request]]" = field(default=tuple, compare=False, repr=False)
    proofread: Callable[[Sequence[int]], float] | None = field(
        default=None, compare=False, repr=False
    )

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
        state_bytes: bytes of the row's state at the end, spare capacity included.
        coverage: share of the words that were read; None where the model cannot tell.
        misread: how badly the ids say the text; 0 where nothing is wrong, or nobody can tell.
        attempts: made at the text, where they were not the consumer's.
        settled: no further attempt is made.
    """

    row: int
    reason: StopReason
    surplus: int = 0
    state_bytes: int = field(default=0, compare=False)
    coverage: float | None = field(default=None, compare=False)
    misread: float = field(default=0.0, compare=False)
    attempts: int = field(default=1, compare=False)
    settled: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True, eq=False)
class Failed:
    """The end of a row that could not go on; its neighbours do."""

    row: int
    problem: Exception


@dataclass(slots=True)
class Row:
    """A text while it is spoken: what was drawn, and what stops it."""

    index: int
    request: Request
    source: RandomSource
    detector: LoopDetector
    least: int
    most: int
    history: list[int] = field(default_factory=list[int])

    @classmethod
    def of(cls, index: int, request: Request, guard: GuardConfig) -> "Row":
        """A row that has said nothing yet."""
        least, most = guard.least(request.text_tokens), guard.most(request.text_tokens)
        return cls(index, request, seeded(request.seed), LoopDetector(guard), least, most)

    def forbidden(self, vocabulary: SpeechVocabulary) -> tuple[int, ...]:
        """Ids that may not come next: marks, and the end before its time."""
        return vocabulary.forbidden(may_end=len(self.history) >= self.least)

    def take(self, token: int) -> StopReason | None:
        """Note an id; a reason to stop after it, if there is one."""
        self.history.append(token)
        reason = self.detector.update(token)
        return reason or ("budget" if len(self.history) >= self.most else None)

    def ended(self) -> StopReason:
        """Why a row stops at the end mark: as it should, or because it was silent throughout."""
        return "end" if set(self.history) - self.detector.silent else "silence"

    def stopped(
        self, reason: StopReason, state_bytes: int, coverage: float | None = None
    ) -> Stopped:
        """The record that ends this row; one that ended by itself must have read every word."""
        looped = reason in ("repetition", "silence")
        if reason == "end" and coverage is not None and coverage < 1:
            reason = "skipped"
        surplus = self.detector.surplus if looped else 0
        proofread, misread = self.request.proofread, 0.0
        if reason == "end" and proofread is not None:
            misread = proofread(self.history)
        return Stopped(self.index, reason, surplus, state_bytes, coverage, misread)
