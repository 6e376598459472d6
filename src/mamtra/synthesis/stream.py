"""Speech that can be heard while it is being made.

Speech tokens go to the decoder and the vocoder while the language model still writes: as soon as a
chunk and its lookahead are there (25 and 3 tokens, from the decoder's config), its samples leave.
What a piece says equals ``acoustics.chunked_sound``, the same tokens decoded at once with the same
chunk mask. It differs a little from what ``say`` makes of them, because there each frame sees the
whole piece; docs/streaming.md has the figures.

A piece of text is decoded again from its start at each of its chunks, so that work is bounded by
the length of a piece, not by that of the text. Nothing of a piece is kept once it was spoken.
"""

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float

from mamtra.audio.joiner import pause_after
from mamtra.audio.stream_joiner import StreamJoiner
from mamtra.audio.time_stretch import TimeStretch
from mamtra.errors import GenerationError
from mamtra.generation.bistream import stream_bistream
from mamtra.generation.generate import RETRY_STRIDE, stream
from mamtra.generation.guard import FAILURES
from mamtra.generation.request import Stopped, Token
from mamtra.synthesis.acoustics import AcousticStream
from mamtra.synthesis.speaker import Speaker
from mamtra.synthesis.speech import ComputeSeconds, Spoken
from mamtra.synthesis.text_stream import Arrived, ArrivingWords, arriving_pieces

ENOUGH_SHARE = 3 / 4  # of the longest piece; an utterance of arriving words ends with its sentence
Tokens = Iterator[Token | Stopped]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AudioPiece:
    """Samples that can be played now, directly after those before.

    Attributes:
        samples: between -1 and 1; seldom none.
        rate: samples a second.
        piece: number of the piece of text that they belong to, from 0.
        spoken: report of the piece, with its last samples; those that are faded out, and the pause,
            follow when it is known whether another piece comes.
        state_bytes: of the language model's state after the ids that were heard by now; 0 where
            nobody counts them.
    """

    samples: Float[np.ndarray, " samples"]
    rate: int
    piece: int
    spoken: Spoken | None = None
    state_bytes: int = 0

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.samples) / self.rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A piece of text that the language model can speak.

    Attributes:
        text: of the piece; of arriving words, as far as they were read.
        tokens: begins to speak it with a seed.
        speaker: who speaks it.
        attempts: how often it may begin.
        pause_seconds: the pause that the text asks for before it; None where it does not.
    """

    text: Callable[[], str]
    tokens: Callable[[int], Tokens]
    speaker: Speaker
    attempts: int
    pause_seconds: float | None = None
    starts_paragraph: bool = False


def whole_part(speaker: Speaker, arrived: Arrived) -> Part:
    """A piece whose text is known."""
    request = speaker.request(arrived.text, 0)

    def tokens(seed: int) -> Tokens:
        seeded = replace(request, seed=seed)
        return stream(speaker.model.speech_model, [seeded], speaker.sampling, speaker.guard)

    return Part(
        text=lambda: arrived.text,
        tokens=tokens,
        speaker=speaker,
        attempts=speaker.guard.attempts,
        pause_seconds=arrived.pause_seconds,
        starts_paragraph=arrived.starts_paragraph,
    )


def growing_part(speaker: Speaker, words: ArrivingWords) -> Part:
    """A piece whose text is read while it is spoken, so that it cannot begin again."""

    def tokens(seed: int) -> Tokens:
        return stream_bistream(
            speaker.model.speech_model,
            words.utterance(),
            speaker.conditioning.text,
            speaker.conditioning.speech,
            seed,
            speaker.sampling,
            speaker.guard,
            lead=speaker.conditioning.lead,
        )

    return Part(text=lambda: words.text, tokens=tokens, speaker=speaker, attempts=1)


def parts_of(speaker: Speaker, text: str | Iterable[str]) -> Iterator[Part]:
    """Each piece of a text as soon as it can be spoken.

    Arriving words are spoken at once only by models made for it, and never after an instruction,
    which the layout of such models has no room for.
    """
    config = speaker.text
    if isinstance(text, str) or not config.bistream or speaker.conditioning.mode == "instruct":
        for arrived in arriving_pieces(text, speaker.arriving_pieces()):
            if arrived.voice is not None:
                speaker = speaker.with_voice(arrived.voice)
            yield whole_part(speaker, arrived)
        return
    words = ArrivingWords(
        text,
        speaker.reader.tokenizer.encode,
        int(ENOUGH_SHARE * config.piece_tokens),
        speaker.spoken_words,
    )
    while words.has_more():
        yield growing_part(speaker, words)


@dataclass(slots=True)
class Clock:
    """When the stream began, when its first samples left, and what waiting for tokens took."""

    started: float = field(default_factory=time.perf_counter)
    first_audio_seconds: float = 0.0
    speech_lm: float = 0.0

    def heard(self) -> None:
        """Note that samples leave."""
        if not self.first_audio_seconds:
            self.first_audio_seconds = time.perf_counter() - self.started

    def timed(self, tokens: Tokens) -> Tokens:
        """The same tokens; takes the time that each needed."""
        while True:
            before = time.perf_counter()
            record = next(tokens, None)
            self.speech_lm += time.perf_counter() - before
            if record is None:
                return
            yield record


def close(tokens: Tokens) -> None:
    """End the generation at once."""
    if isinstance(tokens, Generator):
        tokens.close()


def speak_part(
    part: Part,
    number: int,
    joiner: StreamJoiner,
    clock: Clock,
) -> Generator[AudioPiece, None, str]:
    """Speak one piece and give its text; one that fails before anything is heard begins again.

    Raises:
        GenerationError: the model said nothing.
    """
    speaker = part.speaker
    seed, ended = speaker.seed(number), Stopped(0, "end")
    clock.speech_lm = 0.0

    def begin() -> AcousticStream:
        voice = speaker.voice.prompt
        return AcousticStream(speaker.model, voice, seed, speaker.guard)

    acoustics = begin()
    for attempt in range(part.attempts):
        if attempt:
            acoustics = begin()
        tokens = part.tokens(seed + attempt * RETRY_STRIDE)
        try:
            for record in clock.timed(tokens):
                if isinstance(record, Stopped):
                    ended = record
                    break
                samples = joiner.push(acoustics.push([record.id]))
                if len(samples):
                    clock.heard()
                    yield AudioPiece(samples=samples, rate=speaker.rate, piece=number)
        finally:
            close(tokens)
        if ended.settled or ended.reason not in FAILURES or acoustics.started:
            break
    acoustics.drop(ended.surplus)
    text = part.text()
    if not acoustics.tokens:
        raise GenerationError(
            f"the model said nothing for {text!r} in {part.attempts} attempts; try another seed"
        )
    samples = joiner.push(acoustics.push([], final=True))
    if len(samples):
        clock.heard()
    spoken = Spoken(
        text=text,
        speech_tokens=list(acoustics.tokens),
        stop_reason=acoustics.ended(ended.reason),
        compute_seconds=acoustics.compute_seconds + ComputeSeconds(speech_lm=clock.speech_lm),
        first_audio_seconds=clock.first_audio_seconds,
        state_bytes=ended.state_bytes,
        coverage=ended.coverage,
        misread=ended.misread,
    )
    yield AudioPiece(samples=samples, rate=speaker.rate, piece=number, spoken=spoken)
    return text


def at_speed(pieces: Iterator[AudioPiece], rate: int, speed: float | int) -> Iterator[AudioPiece]:
    """The same sound faster or slower; closing it closes the pieces."""
    stretch, number = TimeStretch(rate, speed), 0
    for piece in pieces:
        number = piece.piece
        yield replace(piece, samples=stretch.push(piece.samples))
    yield AudioPiece(samples=stretch.finish(), rate=rate, piece=number)


def speak_stream(speaker: Speaker, parts: Iterator[Part]) -> Iterator[AudioPiece]:
    """Speak pieces one after the other, with the pauses that ``say`` makes, at the speed asked for.

    Raises:
        TextError: nothing in the text can be spoken.
        GenerationError: the model said nothing.
    """
    pieces = speak_parts(speaker, parts)
    if speaker.options.speed == 1:
        return pieces
    return at_speed(pieces, speaker.rate, speaker.options.speed)


def speak_parts(speaker: Speaker, parts: Iterator[Part]) -> Iterator[AudioPiece]:
    """Speak pieces one after the other, with the pauses that ``say`` makes.

    Raises:
        TextError: nothing in the text can be spoken.
        GenerationError: the model said nothing.
    """
    clock, joiner, before, number = Clock(), StreamJoiner(speaker.rate), "", 0
    for number, part in enumerate(parts):
        if number:
            seconds = part.pause_seconds
            if seconds is None:
                seconds = pause_after(before, part.starts_paragraph)
            pause = joiner.next_piece(seconds)
            yield AudioPiece(samples=pause, rate=speaker.rate, piece=number - 1)
        before = yield from speak_part(part, number, joiner, clock)
    yield AudioPiece(samples=joiner.finish(), rate=speaker.rate, piece=number)
