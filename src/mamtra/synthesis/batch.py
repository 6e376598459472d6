"""Many texts at once: their pieces share one running batch, and each text is sounded when its last
piece ends.

Texts are taken one by one, as places in the batch become free, so what is held depends on the
number of places. A text that cannot be spoken is an error in its turn and not the end of the rest.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import accumulate
from pathlib import Path

from mamtra.errors import ConfigError, MamtraError
from mamtra.generation.generate import Generation, Request, generate_batch, piece_seed
from mamtra.synthesis.conditioning import Manner
from mamtra.synthesis.say import sound
from mamtra.synthesis.speech import Speech, Timings, join
from mamtra.synthesis.stopwatch import Stopwatch
from mamtra.synthesis.synthesizer import Synthesizer
from mamtra.voice.voice import Voice

VOICES_KEPT = 16  # of those that were used last
AnyVoice = Voice | str | Path | None
Outcome = tuple[int, Speech | MamtraError]


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """One text of many, with the voice and the seed that it shall have."""

    text: str
    voice: AnyVoice = None
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaking:
    """How all texts are spoken; see ``Synthesizer.say``."""

    mode: str | None = None
    instruct: str | None = None
    normalize: bool = True


@dataclass(slots=True)
class OpenText:
    """A text whose pieces are being spoken.

    Attributes:
        ends: for each piece, whether it ends a paragraph.
        spoken: the finished pieces by their place.
        seconds: that reading the text took.
    """

    voice: Voice
    manner: Manner
    seed: int
    pieces: list[str]
    ends: list[bool]
    seconds: float
    spoken: dict[int, Speech] = field(default_factory=dict)

    def speech(self) -> Speech:
        """All pieces joined."""
        whole = join([self.spoken[place] for place in range(len(self.pieces))])
        return replace(whole, timings=whole.timings + Timings(text=self.seconds))


class Desk:
    """Hands out pieces to be spoken, and puts together what comes back.

    Attributes:
        texts: those that are being spoken, by number.
        failed: errors that nobody was told of yet.
    """

    def __init__(
        self, synthesizer: Synthesizer, wanted: Iterable[Utterance], speaking: Speaking
    ) -> None:
        self.synthesizer, self.wanted, self.speaking = synthesizer, wanted, speaking
        self.texts: dict[int, OpenText] = {}
        self.failed: deque[Outcome] = deque()
        self.handed_out = 0
        self.places: dict[int, tuple[int, int]] = {}
        self.voice_and_manner = lru_cache(VOICES_KEPT)(self.prepare)

    def prepare(self, voice: AnyVoice) -> tuple[Voice, Manner]:
        """A voice, and what the language model reads for it."""
        chosen, how = self.synthesizer.voice(voice), self.speaking
        return chosen, self.synthesizer.manner(chosen, how.mode, how.instruct, how.normalize)

    def open(self, wanted: Utterance) -> OpenText:
        """Read a text.

        Raises:
            MamtraError: it cannot be spoken.
        """
        watch = Stopwatch(self.synthesizer.parts.device)
        voice, manner = self.voice_and_manner(wanted.voice)
        paragraphs = self.synthesizer.paragraphs(wanted.text, self.speaking.normalize)
        pieces = [piece for paragraph in paragraphs for piece in paragraph]
        lasts = set(accumulate(map(len, paragraphs)))
        ends = [place in lasts for place in range(1, len(pieces) + 1)]
        return OpenText(voice, manner, wanted.seed, pieces, ends, watch.lap())

    def requests(self) -> Iterator[Request]:
        """Every piece of every text, in order; a text is read when its first piece is due."""
        encode = self.synthesizer.parts.reader.encode
        for number, wanted in enumerate(self.wanted):
            try:
                self.texts[number] = text = self.open(wanted)
                for place, piece in enumerate(text.pieces):
                    if number not in self.texts:  # an earlier piece has failed
                        break
                    seed = piece_seed(text.seed, place)
                    request = text.manner.request(encode(piece), seed)
                    self.places[self.handed_out] = (number, place)
                    self.handed_out += 1
                    yield request
            except MamtraError as problem:
                self.fail(number, problem)

    def fail(self, number: int, problem: MamtraError) -> None:
        """Give up a text."""
        self.texts.pop(number, None)
        self.failed.append((number, problem))

    def take(self, request: int, generation: Generation) -> Outcome | None:
        """Sound a piece; its text, if that was the last."""
        number, place = self.places.pop(request)
        text = self.texts.get(number)
        if text is None:
            return None
        try:
            seed = piece_seed(text.seed, place)
            speech = sound(self.synthesizer.parts, text.pieces[place], generation, text.voice, seed)
        except MamtraError as problem:
            self.fail(number, problem)
            return None
        text.spoken[place] = replace(speech, ends_paragraph=text.ends[place])
        if len(text.spoken) < len(text.pieces):
            return None
        del self.texts[number]
        return number, text.speech()

    def outcomes(self, rows: int) -> Iterator[Outcome]:
        """Speak everything, so many pieces at once; yields each text when it is settled."""
        own = self.synthesizer
        results = generate_batch(
            own.parts.speech_lm, self.requests(), own.sampling, own.guard, rows=rows
        )
        for request, generation in results:
            outcome = self.take(request, generation)
            while self.failed:
                yield self.failed.popleft()
            if outcome is not None:
                yield outcome
        yield from self.failed


def utterances(
    texts: Iterable[str | Utterance],
    voices: AnyVoice | Sequence[AnyVoice],
    seeds: int | Sequence[int],
) -> Iterator[Utterance]:
    """Each text with its voice and its seed.

    Raises:
        ConfigError: there are too few voices or seeds.
    """
    for number, text in enumerate(texts):
        if isinstance(text, Utterance):
            yield text
            continue
        try:
            if isinstance(voices, (Voice, str, Path)) or voices is None:
                voice = voices
            else:
                voice = voices[number]
            seed = seeds if isinstance(seeds, int) else seeds[number]
        except IndexError as problem:
            raise ConfigError(
                f"text {number} has no voice or no seed of its own; give one for all texts or one "
                "for each"
            ) from problem
        yield Utterance(text=text, voice=voice, seed=seed)


def speak_many(
    synthesizer: Synthesizer, wanted: Iterable[Utterance], rows: int, speaking: Speaking
) -> Iterator[Outcome]:
    """Speak texts side by side; yields number and speech, or the error, as each is settled.

    Args:
        synthesizer: the model.
        wanted: the texts, taken as they are needed.
        rows: how many pieces are spoken at once.
        speaking: how.

    Raises:
        ConfigError: there are no rows.
    """
    if rows < 1:
        raise ConfigError(f"rows={rows} must be at least 1")
    return Desk(synthesizer, wanted, speaking).outcomes(rows)
