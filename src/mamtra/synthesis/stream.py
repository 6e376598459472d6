"""Speech that can be heard while it is being made.

Speech tokens go to the decoder and the vocoder while the language model still writes: as soon as a
chunk and its lookahead are there (25 and 3 tokens, from the decoder's config), its samples leave.
What a piece says equals ``sounding.chunked_sound``, the same tokens decoded at once with the same
chunk mask. It differs a little from what ``say`` makes of them, because there each frame sees the
whole piece; docs/streaming.md has the figures.

A piece of text is decoded again from its start at each of its chunks, so that work is bounded by
the length of a piece, not by that of the text. Nothing of a piece is kept once it was spoken.
"""

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from torch import Tensor

from mamtra.audio.joiner import pause_after
from mamtra.audio.stream_joiner import StreamJoiner
from mamtra.errors import GenerationError
from mamtra.generation.bistream import stream_bistream
from mamtra.generation.generate import RETRY_STRIDE, Stopped, Token, piece_seed, stream
from mamtra.generation.guard import FAILURES, GuardConfig
from mamtra.generation.sampling import SamplingConfig
from mamtra.synthesis.acoustics import Sounding, flow_noise
from mamtra.synthesis.conditioning import Manner
from mamtra.synthesis.parts import SpeakingParts
from mamtra.synthesis.speech import Spoken, Timings
from mamtra.synthesis.text_stream import Arrived, ArrivingWords, arriving_pieces
from mamtra.voice.voice import Voice

if TYPE_CHECKING:
    from mamtra.synthesis.synthesizer import Synthesizer

ENOUGH_SHARE = 3 / 4  # of the longest piece; an utterance of arriving words ends with its sentence
Tokens = Iterator[Token | Stopped]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AudioPiece:
    """Samples that can be played now, directly after those before.

    Attributes:
        samples: between -1 and 1; seldom none.
        rate: samples a second.
        piece: number of the piece of text that they belong to, from 0.
        spoken: the account of the piece, with its last samples; those that are faded out, and the
            pause, follow when it is known whether another piece comes.
    """

    samples: Float[np.ndarray, " samples"]
    rate: int
    piece: int
    spoken: Spoken | None = None

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
        attempts: how often it may begin.
    """

    text: Callable[[], str]
    tokens: Callable[[int], Tokens]
    attempts: int
    starts_paragraph: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Streaming:
    """What the pieces of one stream share."""

    parts: SpeakingParts
    voice: Voice
    manner: Manner
    sampling: SamplingConfig
    guard: GuardConfig
    rate: int
    seed: int = 0

    def whole(self, arrived: Arrived) -> Part:
        """A piece whose text is known."""
        ids = self.parts.reader.encode(arrived.text)

        def tokens(seed: int) -> Tokens:
            request = self.manner.request(ids, seed)
            return stream(self.parts.speech_lm, [request], self.sampling, self.guard)

        return Part(
            text=lambda: arrived.text,
            tokens=tokens,
            attempts=self.guard.attempts,
            starts_paragraph=arrived.starts_paragraph,
        )

    def growing(self, words: ArrivingWords) -> Part:
        """A piece whose text is read while it is spoken, so that it cannot begin again."""

        def tokens(seed: int) -> Tokens:
            return stream_bistream(
                self.parts.speech_lm,
                words.utterance(),
                self.manner.text,
                self.manner.speech,
                seed,
                self.sampling,
                self.guard,
            )

        return Part(text=lambda: words.text, tokens=tokens, attempts=1)

    def pieces_of(
        self, text: str | Iterable[str], pieces: Callable[[str], list[str]]
    ) -> Iterator[Part]:
        """Each piece as soon as its text is there."""
        for arrived in arriving_pieces(text, pieces):
            yield self.whole(arrived)

    def words_of(self, text: Iterable[str], longest: int) -> Iterator[Part]:
        """Utterances that are spoken while their words arrive."""
        encode = self.parts.reader.tokenizer.encode
        words = ArrivingWords(text, encode, int(ENOUGH_SHARE * longest))
        while words.has_more():
            yield self.growing(words)


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
    shared: Streaming,
    part: Part,
    number: int,
    joiner: StreamJoiner,
    noise: Tensor | None,
    clock: Clock,
) -> Generator[AudioPiece, None, str]:
    """Speak one piece and give its text; one that fails before anything is heard begins again.

    Raises:
        GenerationError: the model said nothing.
    """
    seed, ended = piece_seed(shared.seed, number), Stopped(0, "end")
    clock.speech_lm = 0.0
    sounding = Sounding(shared.parts, shared.voice, seed, noise)
    for attempt in range(part.attempts):
        if attempt:
            sounding = Sounding(shared.parts, shared.voice, seed, noise)
        tokens = part.tokens(seed + attempt * RETRY_STRIDE)
        try:
            for record in clock.timed(tokens):
                if isinstance(record, Stopped):
                    ended = record
                    break
                samples = joiner.push(sounding.push([record.id]))
                if len(samples):
                    clock.heard()
                    yield AudioPiece(samples=samples, rate=shared.rate, piece=number)
        finally:
            close(tokens)
        if ended.reason not in FAILURES or sounding.heard:
            break
    sounding.drop(ended.surplus)
    text = part.text()
    if not sounding.tokens:
        raise GenerationError(
            f"the model said nothing for {text!r} in {part.attempts} attempts; try another seed"
        )
    samples = joiner.push(sounding.push([], final=True))
    if len(samples):
        clock.heard()
    spoken = Spoken(
        text=text,
        speech_tokens=list(sounding.tokens),
        stop_reason=ended.reason,
        timings=sounding.timings + Timings(speech_lm=clock.speech_lm),
        first_audio_seconds=clock.first_audio_seconds,
        state_bytes=ended.state_bytes,
    )
    yield AudioPiece(samples=samples, rate=shared.rate, piece=number, spoken=spoken)
    return text


def speak_stream(shared: Streaming, parts: Iterator[Part]) -> Iterator[AudioPiece]:
    """Speak pieces one after the other, with the pauses that ``say`` makes.

    Raises:
        TextError: nothing in the text can be spoken.
        GenerationError: the model said nothing.
    """
    clock, joiner, before, number = Clock(), StreamJoiner(shared.rate), "", 0
    noise = flow_noise(shared.parts.decoder, shared.parts.device)
    for number, part in enumerate(parts):
        if number:
            pause = joiner.next_piece(pause_after(before, part.starts_paragraph))
            yield AudioPiece(samples=pause, rate=shared.rate, piece=number - 1)
        before = yield from speak_part(shared, part, number, joiner, noise, clock)
    yield AudioPiece(samples=joiner.finish(), rate=shared.rate, piece=number)


def open_stream(
    synthesizer: "Synthesizer",
    text: str | Iterable[str],
    voice: Voice,
    seed: int,
    manner: Manner,
    normalize: bool,
) -> Iterator[AudioPiece]:
    """A stream of a synthesizer; see ``Synthesizer.stream``.

    Arriving words are spoken at once only by models made for it, and never after an instruction,
    which the layout of such models has no place for.
    """
    shared = Streaming(
        parts=synthesizer.parts,
        voice=voice,
        manner=manner,
        sampling=synthesizer.sampling,
        guard=synthesizer.guard,
        rate=synthesizer.rate,
        seed=seed,
    )
    config = synthesizer.text
    if isinstance(text, str) or not config.bistream or manner.mode == "instruct":
        reader = synthesizer.parts.reader
        parts = shared.pieces_of(text, lambda part: reader.pieces(part, normalize))
    else:
        parts = shared.words_of(text, config.piece_tokens)
    return speak_stream(shared, parts)
