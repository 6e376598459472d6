"""Long texts: paragraphs and pieces, what the language model keeps between them, and the report.

A chapter is cut into paragraphs (at empty lines) and these into pieces of a sentence or so. The
voice is the same in all, because it is given to the decoder for each. What the language model knows
of the earlier pieces is a choice:

- ``fresh``: nothing. Each piece says the same whatever stands before it. The default.
- ``carry``: the text and the speech of the paragraph's last pieces, as far as they fit into
  ``CONTEXT_SECONDS``. The piece is spoken as the continuation of them, like that of a voice's
  prompt: first all words, then the speech so far.

Models that were trained on single sentences alone get lost when something is carried;
docs/long_texts.md has the figures.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from mamtra.audio.file_writer import GrowingSound
from mamtra.audio.joiner import Joiner
from mamtra.errors import NothingToSpeakError, TextError
from mamtra.generation.request import Request
from mamtra.speech_lm.prompt import Segment
from mamtra.synthesis.speech import (
    ENDED,
    ComputeSeconds,
    Speech,
    Spoken,
    first_failure,
    least_coverage,
)
from mamtra.text.pauses import Passage, together

TOKENS_PER_SECOND = 25  # cosyvoice2.yaml: token_frame_rate
CONTEXT_SECONDS = 10.0  # a third of the longest prompt; about one or two pieces
PARAGRAPH = re.compile(r"\n[^\S\n]*\n\s*")


def with_words(paragraphs: Iterable[Sequence[Passage]]) -> list[list[Passage]]:
    """Paragraphs without the pieces that have no text, nor those left empty by it.

    A pause without words goes to the piece before, and is none before any word; a voice goes to the
    piece that follows.
    """
    found: list[list[Passage]] = []
    voice = None
    for paragraph in paragraphs:
        kept: list[Passage] = []
        for piece in paragraph:
            voice = piece.voice or voice
            before = kept or (found[-1] if found else [])
            if piece.text:
                kept.append(replace(piece, voice=voice))
                voice = None
            elif before:
                longer = together(before[-1].pause_seconds, piece.pause_seconds)
                before[-1] = replace(before[-1], pause_seconds=longer)
        if kept:
            found.append(kept)
    return found


def paragraphs(text: str, cut: Callable[[str], list[Passage]]) -> list[list[Passage]]:
    """The pieces of each paragraph.

    Args:
        text: paragraphs end at empty lines.
        cut: makes pieces of a paragraph.

    Raises:
        TextError: nothing in the whole text can be spoken. A single paragraph that cannot, as a
            line of asterisks, is left out.
    """
    found: list[list[Passage]] = []
    problem = None
    for paragraph in PARAGRAPH.split(text.strip()):
        try:
            pieces = cut(paragraph)
        except NothingToSpeakError as unspeakable:
            problem = problem or unspeakable
            continue
        found.append(pieces)
    found = with_words(found)
    if not found:
        raise TextError(
            str(problem or "the text holds nothing to speak; give at least one word")
        ) from problem
    return found


@dataclass(slots=True)
class Context:
    """What the language model may know of a paragraph's last pieces: their ids, newest last."""

    pieces: list[tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=list)

    def request(
        self, ids: Sequence[int], seed: int, ask: Callable[[Sequence[int], int], Request]
    ) -> Request:
        """The request to go on with these text ids.

        Args:
            ids: of the piece.
            seed: of the piece.
            ask: makes the request for text ids that nothing was said before.
        """
        before = [token for text, _ in self.pieces for token in text]
        said = tuple(token for _, speech in self.pieces for token in speech)
        whole = ask([*before, *ids], seed)
        segments = (*whole.segments, Segment("speech", said)) if said else whole.segments
        return Request(segments, len(ids), seed)

    def add(self, text: Sequence[int], speech: Sequence[int], stop_reason: str) -> None:
        """Add a spoken piece, and forget those that are too long ago.

        A piece that did not end by itself empties the context: its speech is no example to follow.
        """
        if stop_reason != ENDED:
            self.pieces.clear()
            return
        self.pieces.append((tuple(text), tuple(speech)))
        while sum(len(said) for _, said in self.pieces) > CONTEXT_SECONDS * TOKENS_PER_SECOND:
            del self.pieces[0]


@dataclass(slots=True)
class Written:
    """Report of a text that is written as it is spoken.

    Attributes:
        seconds: of sound in the file, pauses included.
        stop_reasons: why each piece ended.
        state_bytes: of the language model's state at the end of each piece.
        coverages: share of each piece's words that were read, where that is known.
        misread: the most of any piece.
        problem: what kept the other pieces from being spoken.
    """

    seconds: float = 0.0
    speech_tokens: int = 0
    texts: list[str] = field(default_factory=list)
    stop_reasons: list[str] = field(default_factory=list)
    state_bytes: list[int] = field(default_factory=list)
    coverages: list[float | None] = field(default_factory=list)
    misread: float = 0.0
    compute_seconds: ComputeSeconds = field(default_factory=ComputeSeconds)
    problem: BaseException | None = None

    @property
    def pieces(self) -> int:
        """How many were spoken."""
        return len(self.texts)

    @property
    def stop_reason(self) -> str:
        """The first that is not ``end``."""
        return first_failure(self.stop_reasons)

    @property
    def coverage(self) -> float | None:
        """The least of the pieces, where it is known."""
        return least_coverage(self.coverages)

    def note(self, speech: Speech | Spoken) -> None:
        """Count a piece."""
        self.speech_tokens += len(speech.speech_tokens)
        self.texts.append(speech.text)
        self.stop_reasons.append(speech.stop_reason)
        self.state_bytes.append(speech.state_bytes)
        self.coverages.append(speech.coverage)
        self.misread = max(self.misread, speech.misread)
        self.compute_seconds = self.compute_seconds + speech.compute_seconds


def write_pieces(
    spoken: Iterable[Speech], file: GrowingSound, expected: tuple[type[BaseException], ...] = ()
) -> Written:
    """Write pieces into a file as they are spoken; one is in memory at a time.

    Args:
        spoken: the pieces, best made while they are asked for.
        file: where to; closed by the caller.
        expected: what may end the text early; it is noted instead of raised. What was finished is
            written in any case.
    """
    joiner, written = Joiner(file.rate_hz), Written()
    try:
        for speech in spoken:
            file.write(joiner.push(speech.samples, speech.pause_seconds))
            written.note(speech)
    except expected as problem:
        written.problem = problem
    finally:
        file.write(joiner.finish())
        written.seconds = file.seconds
    return written
