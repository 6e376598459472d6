"""What comes out of speaking: samples, and how they came about."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mamtra.audio.clip import Audio, write
from mamtra.audio.joiner import join_samples, pause_after
from mamtra.audio.mark import mark_or_nothing
from mamtra.errors import AudioError
from mamtra.synthesis.options import check_switch
from mamtra.synthesis.word_times import Aligner, WordTime

ENDED = "end"  # the stop reason of speech that ended by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeSeconds:
    """Seconds that each stage took to compute."""

    text: float = 0.0
    speech_lm: float = 0.0
    decoder: float = 0.0
    vocoder: float = 0.0

    @property
    def total(self) -> float:
        """Seconds of all stages."""
        return self.text + self.speech_lm + self.decoder + self.vocoder

    def __add__(self, other: "ComputeSeconds") -> "ComputeSeconds":
        """Stage by stage."""
        names = [field.name for field in fields(self)]
        return ComputeSeconds(**{n: getattr(self, n) + getattr(other, n) for n in names})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Speech:
    """Spoken text.

    Attributes:
        samples: sound between -1 and 1.
        rate: samples a second.
        text: what was spoken, after normalisation.
        speech_tokens: what the speech language model wrote.
        stop_reason: ``end`` if it ended by itself; else why the guard ended it. Of several pieces,
            the first reason that is not ``end``.
        compute_seconds: what each stage took.
        ends_paragraph: whether a longer pause follows it.
        asked_pause_seconds: the pause that the text asks for after it; None where it does not.
        state_bytes: of the speech language model's state when it ended; of several pieces, the
            most.
        notes: what was left out of the text, or read otherwise than it looks.
        coverage: share of the words that the language model read, by what its attention looked at;
            of several pieces the least. None where the model cannot tell.
        misread: how badly the speech tokens say the text, where they are proofread: 0 where nothing
            is wrong with them, in nats for what still is after the last attempt; of several pieces
            the most.
    """

    samples: Float[np.ndarray, " samples"]
    rate: int
    text: str
    speech_tokens: list[int]
    stop_reason: str
    compute_seconds: ComputeSeconds
    ends_paragraph: bool = False
    asked_pause_seconds: float | None = None
    state_bytes: int = 0
    notes: tuple[str, ...] = ()
    coverage: float | None = None
    misread: float = 0.0

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.samples) / self.rate

    @property
    def pause_seconds(self) -> float:
        """How long to be silent before the next piece."""
        if self.asked_pause_seconds is not None:
            return self.asked_pause_seconds
        return pause_after(self.text, self.ends_paragraph)

    @property
    def audio(self) -> Audio:
        """The sound alone."""
        return Audio(samples=self.samples, rate_hz=self.rate)

    @property
    def words(self) -> list[WordTime]:
        """When each word is heard, by forced alignment (``mamtra.synthesis.word_times``).

        Raises:
            MissingExtraError: pocketsphinx is not installed.
        """
        return Aligner().align(self.audio, self.text)

    def save(self, path: Path | str, *, mark: bool = True) -> Path:
        """Write a sound file in the format of its suffix: .wav, .flac, .ogg or .mp3.

        Args:
            path: where to.
            mark: say in the file's metadata that the speech is artificial.

        Raises:
            AudioError: it cannot be written there, or not in that format.
            ConfigError: ``mark`` is neither True nor False.
        """
        check_switch("mark", mark)
        return write(path, self.audio, mark_or_nothing(mark))


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """Report of a piece of text whose samples were handed out already.

    Attributes:
        text: what was spoken, after normalisation.
        speech_tokens: what the speech language model wrote and the decoder said.
        stop_reason: ``end`` if it ended by itself; else why the guard ended it.
        compute_seconds: what each stage took; waiting for the consumer is not among them.
        first_audio_seconds: from the beginning of the stream to its first samples.
        state_bytes: of the speech language model's state when it ended.
        coverage: share of the words that the language model read; None where it cannot tell.
        misread: how badly the speech tokens say the text, as ``Speech`` has it.
    """

    text: str
    speech_tokens: list[int]
    stop_reason: str
    compute_seconds: ComputeSeconds
    first_audio_seconds: float
    state_bytes: int = 0
    coverage: float | None = None
    misread: float = 0.0


def first_failure(reasons: Iterable[str]) -> str:
    """The first reason that is not ``end``."""
    return next((reason for reason in reasons if reason != ENDED), ENDED)


def least_coverage(found: Iterable[float | None]) -> float | None:
    """The least of what is known."""
    return min((value for value in found if value is not None), default=None)


def join(pieces: Sequence[Speech]) -> Speech:
    """Pieces that were spoken one after another as one, with pauses and without clicks.

    Raises:
        AudioError: there are none, or one is no speech.
    """
    listed = isinstance(pieces, Sequence) and len(pieces) > 0
    if not listed or not all(isinstance(piece, Speech) for piece in pieces):
        raise AudioError("there is no speech to join; give a list of what was spoken")
    return Speech(
        samples=join_samples(
            [piece.samples for piece in pieces],
            [piece.pause_seconds for piece in pieces],
            pieces[0].rate,
        ),
        rate=pieces[0].rate,
        text=" ".join(piece.text for piece in pieces),
        speech_tokens=[token for piece in pieces for token in piece.speech_tokens],
        stop_reason=first_failure(piece.stop_reason for piece in pieces),
        compute_seconds=sum((piece.compute_seconds for piece in pieces), ComputeSeconds()),
        ends_paragraph=pieces[-1].ends_paragraph,
        asked_pause_seconds=pieces[-1].asked_pause_seconds,
        state_bytes=max(piece.state_bytes for piece in pieces),
        coverage=least_coverage(piece.coverage for piece in pieces),
        misread=max(piece.misread for piece in pieces),
        notes=tuple(dict.fromkeys(note for piece in pieces for note in piece.notes)),
    )
