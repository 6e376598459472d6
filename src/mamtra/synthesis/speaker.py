"""A speaker: a loaded model with a voice and a way to speak, which say, batch and stream share.

``say.py`` speaks pieces one after the other, ``batch.py`` many texts side by side, ``stream.py``
hands out samples while they are being made. All three speak a piece with the same seed.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mamtra.audio.joiner import Samples
from mamtra.audio.time_stretch import change_speed
from mamtra.errors import GenerationError, NothingToSpeakError, TextError
from mamtra.generation.generate import Generation, piece_seed
from mamtra.generation.guard import GuardConfig, sounded
from mamtra.generation.request import Request
from mamtra.generation.sampling import SamplingConfig
from mamtra.runtime.protocols import LoadedModel
from mamtra.synthesis.acoustics import SILENT_PEAK, sound
from mamtra.synthesis.conditioning import Conditioning
from mamtra.synthesis.long_text import Context, paragraphs
from mamtra.synthesis.options import SpeakOptions
from mamtra.synthesis.proofreading import CheckOf
from mamtra.synthesis.speech import Speech
from mamtra.synthesis.text_reader import Reader, TextConfig
from mamtra.text.dialogue import Turn, turns, voices_in, with_marks_before_words
from mamtra.text.notes import kind_of
from mamtra.text.pauses import MARK, Passage, attached, timed_pieces
from mamtra.text.split import in_two
from mamtra.voice.voice import Voice

logger = logging.getLogger(__name__)


def warn(found: Iterable[str]) -> None:
    """Tell notes about a text."""
    for note in found:
        logger.warning("note: %s", note)


def audible(samples: Samples) -> bool:
    """Whether anything can be heard."""
    return bool(np.abs(samples).max(initial=0) >= SILENT_PEAK)


def checked_text(text: str) -> str:
    """The text, if it is one.

    Raises:
        TextError: it is something else, or holds bytes that are no UTF-8.
    """
    if not isinstance(text, str):
        raise TextError(f"{text!r} is no text; give a string")
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise TextError("the text holds bytes that are not UTF-8; save it as UTF-8")
    return text


def checked_paragraphs(
    paragraphs: Sequence[Sequence[str | Passage]],
) -> Sequence[Sequence[str | Passage]]:
    """The pieces of paragraphs, if they are that.

    Raises:
        TextError: it is something else, or a piece is no text.
    """
    if not isinstance(paragraphs, Sequence) or isinstance(paragraphs, bytes | bytearray):
        raise TextError(
            f"{str(paragraphs)[:60]!r} is no text; give a string, or a list with the pieces of "
            "each paragraph"
        )
    for paragraph in paragraphs:
        if not isinstance(paragraph, Sequence) or isinstance(paragraph, str | bytes | bytearray):
            raise TextError(
                f"{str(paragraph)[:60]!r} is no paragraph; give the pieces of each in a list"
            )
        for piece in paragraph:
            checked_text(piece.text if isinstance(piece, Passage) else piece)
    return paragraphs


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Speaker:
    """A model with a voice, ready to speak pieces of text.

    Attributes:
        text: how the model reads text, in numbers.
        conditioning: what the language model reads around each piece.
        cast: a speaker in the voice of a name, for texts whose marks change the voice.
        check_of: gives the check of speech ids against a text's ids; None where there is none.
    """

    model: LoadedModel
    reader: Reader
    text: TextConfig
    sampling: SamplingConfig
    guard: GuardConfig
    voice: Voice
    conditioning: Conditioning
    options: SpeakOptions
    cast: Callable[[str], "Speaker"]
    check_of: CheckOf | None = None

    def with_voice(self, name: str) -> "Speaker":
        """The same model and options in another voice.

        Raises:
            VoiceError: it is unknown, or another model's.
        """
        return replace(self.cast(name), options=replace(self.options, voice=name))

    @property
    def rate(self) -> int:
        """Samples a second of what it says."""
        return self.model.vocoder.sizes.rate_hz

    def pieces(self, text: str) -> list[str]:
        """The text as it will be spoken: normalised, in pieces of a sentence or so.

        Raises:
            TextError: it is empty, or nothing in it can be spoken.
        """
        text, lexicon = checked_text(text), self.options.lexicon
        return self.reader.pieces(lexicon.apply(text) if lexicon else text, self.options.normalize)

    def spoken_words(self, text: str) -> str:
        """Some words as they are spoken; marks of pauses are left out.

        Raises:
            TextError: nothing in them can be spoken.
        """
        text, lexicon = MARK.sub(" ", checked_text(text)), self.options.lexicon
        return self.reader.whole(lexicon.apply(text) if lexicon else text, self.options.normalize)

    def notes(self, text: str) -> list[str]:
        """What will be left out of a text, or read otherwise than it looks."""
        if not self.options.normalize:
            return []
        text, lexicon = checked_text(text), self.options.lexicon
        return self.reader.notes(lexicon.apply(text) if lexicon else text)

    def arriving_pieces(self) -> Callable[[str], list[Passage]]:
        """``timed_pieces`` for the parts of one text; each kind of note is told once."""
        told: set[str] = set()

        def cut(text: str) -> list[Passage]:
            found = {kind_of(note): note for note in self.notes(text)}
            warn(note for kind, note in found.items() if kind not in told)
            told.update(found)
            return self.timed_pieces(text)

        return cut

    def timed_pieces(self, text: str) -> list[Passage]:
        """The ``pieces`` with the pauses and voices that the text asks for; the same errors.

        A piece without text is a pause before any word of its turn, or a voice whose own words
        cannot be spoken.
        """
        found: list[Passage] = []
        problem = None
        for turn in turns(checked_text(text)) or [Turn(None, "")]:
            try:
                pieces = timed_pieces(turn.text, self.pieces)
            except NothingToSpeakError as unspeakable:
                problem = problem or unspeakable
                pieces = [Passage("")] if turn.voice is not None else []
            if not pieces:
                continue
            first = next((n for n, piece in enumerate(pieces) if piece.text), 0)
            pieces[first] = replace(pieces[first], voice=turn.voice)
            found += pieces
        if not found and problem is not None:
            raise problem
        return found

    def paragraphs(self, text: str) -> list[list[Passage]]:
        """The pieces of each paragraph, with the same errors; paragraphs end at empty lines.

        What ``notes`` finds is told once.

        Raises:
            VoiceError: a mark names a voice that there is not.
        """
        warn(self.notes(text))
        marked = with_marks_before_words(attached(checked_text(text)))
        for name in voices_in(marked):
            self.with_voice(name)
        return paragraphs(marked, self.timed_pieces)

    def seed(self, number: int) -> int:
        """The seed of a text's piece, counted from 0."""
        return piece_seed(self.options.seed, number)

    def request(self, piece: str, number: int, context: Context | None = None) -> Request:
        """What the language model is asked for, to speak a piece; ``context`` was said before."""
        ids, seed = self.reader.encode(piece), self.seed(number)
        if context is None:
            request = self.conditioning.request(ids, seed)
        else:
            request = context.request(ids, seed, self.conditioning.request)
        check_of = self.check_of if self.options.proofread else None
        proofread = check_of(ids) if check_of is not None else None
        words = self.reader.tokenizer.words(ids)
        request = replace(request, words=words, proofread=proofread)
        if context is not None:  # the second half would not know the first
            return request

        def parts() -> list[Request]:
            return [self.request(half, number) for half in in_two(piece)]

        return replace(request, parts=parts)

    def sound(self, piece: str, number: int, generation: Generation) -> Speech:
        """The sound of a piece's speech tokens, all at once.

        Raises:
            GenerationError: there are no tokens.
        """
        ids = sounded(generation.ids, self.guard)
        if not ids:
            raise GenerationError(
                f"the model said nothing for {piece!r} in {generation.attempts} attempts; "
                "try another seed"
            )
        samples, spent = sound(self.model, ids, self.voice.prompt, self.seed(number))
        samples = change_speed(samples, self.rate, self.options.speed)
        return Speech(
            samples=samples,
            rate=self.rate,
            text=piece,
            speech_tokens=ids,
            stop_reason=generation.reason if audible(samples) else "silence",
            compute_seconds=spent,
            state_bytes=generation.state_bytes,
            coverage=generation.coverage,
            misread=generation.misread,
        )
