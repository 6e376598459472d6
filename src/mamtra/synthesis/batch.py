"""Many texts at once: their pieces share one running batch, and each text is handed out when its
last piece ends.

Texts are taken one by one, as slots of the batch become free, so memory depends on the number of
slots. A text that cannot be spoken is an error in its turn and not the end of the rest.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import accumulate
from typing import Any

from mamtra.errors import ConfigError, MamtraError, TextError
from mamtra.generation.generate import Generation, Request, generate_batch
from mamtra.generation.guard import GuardConfig
from mamtra.generation.sampling import SamplingConfig
from mamtra.runtime.protocols import SpeechModel
from mamtra.synthesis.options import SpeakOptions, check_options
from mamtra.synthesis.speaker import Speaker
from mamtra.synthesis.speech import ComputeSeconds, Speech, join
from mamtra.synthesis.stopwatch import Stopwatch
from mamtra.text.pauses import Passage

SPEAKERS_KEPT = 16  # of those that were used last
Outcome = tuple[int, Speech | MamtraError]
TextAndOptions = tuple[str, SpeakOptions]


@dataclass(slots=True)
class OpenText:
    """A text whose pieces are being spoken.

    Attributes:
        speakers: of each piece.
        ends: for each piece, whether it ends a paragraph.
        seconds: that reading the text took.
        notes: what was left out of it.
        spoken: the finished pieces by their number.
    """

    speakers: list[Speaker]
    pieces: list[Passage]
    ends: list[bool]
    seconds: float
    notes: tuple[str, ...] = ()
    spoken: dict[int, Speech] = field(default_factory=dict)

    def speech(self) -> Speech:
        """All pieces joined."""
        whole = join([self.spoken[number] for number in range(len(self.pieces))])
        spent = whole.compute_seconds + ComputeSeconds(text=self.seconds)
        return replace(whole, compute_seconds=spent, notes=self.notes)


class Scheduler:
    """Hands out pieces to be spoken, and puts together what comes back.

    Args:
        speaker_for: the speaker of some options.
        texts: what to say, and how.

    Attributes:
        open: texts that are being spoken, by number.
        failed: errors that were not handed out yet.
        requested: text and piece of each request.
    """

    def __init__(
        self, speaker_for: Callable[[SpeakOptions], Speaker], texts: Iterable[TextAndOptions]
    ) -> None:
        # the seed is no part of a speaker's costs: voices and prompts are read once for all seeds
        self.unseeded = lru_cache(SPEAKERS_KEPT)(speaker_for)
        self.texts = texts
        self.open: dict[int, OpenText] = {}
        self.failed: deque[Outcome] = deque()
        self.requested: dict[int, tuple[int, int]] = {}
        self.requests_made = 0

    def read(self, text: str, options: SpeakOptions) -> OpenText:
        """Cut a text into pieces.

        Raises:
            MamtraError: it cannot be spoken.
        """
        if options.state != "fresh":
            raise ConfigError("a batch speaks every piece fresh; leave the state out")
        watch = Stopwatch()
        speaker = replace(self.unseeded(replace(options, seed=0)), options=options)
        paragraphs = speaker.paragraphs(text)
        pieces = [piece for paragraph in paragraphs for piece in paragraph]
        lasts = set(accumulate(map(len, paragraphs)))
        ends = [number in lasts for number in range(1, len(pieces) + 1)]
        speakers = []
        for piece in pieces:
            if piece.voice is not None:
                speaker = speaker.with_voice(piece.voice)
            speakers.append(speaker)
        notes = tuple(speaker.notes(text))
        return OpenText(speakers, pieces, ends, watch.lap(), notes)

    def requests(self) -> Iterator[Request]:
        """Every piece of every text, in order; a text is read when its first piece is due."""
        for number, (text, options) in enumerate(self.texts):
            try:
                self.open[number] = opened = self.read(text, options)
                for piece_number, piece in enumerate(opened.pieces):
                    if number not in self.open:  # an earlier piece has failed
                        break
                    speaker = opened.speakers[piece_number]
                    request = speaker.request(piece.text, piece_number)
                    self.requested[self.requests_made] = (number, piece_number)
                    self.requests_made += 1
                    yield request
            except MamtraError as problem:
                self.fail(number, problem)

    def fail(self, number: int, problem: MamtraError) -> None:
        """Give up a text."""
        self.open.pop(number, None)
        self.failed.append((number, problem))

    def take(self, request: int, generation: Generation) -> Outcome | None:
        """Sound a piece; its text, if that was the last."""
        number, piece_number = self.requested.pop(request)
        text = self.open.get(number)
        if text is None:
            return None
        try:
            piece = text.pieces[piece_number]
            speaker = text.speakers[piece_number]
            speech = speaker.sound(piece.text, piece_number, generation)
        except MamtraError as problem:
            self.fail(number, problem)
            return None
        text.spoken[piece_number] = replace(
            speech,
            ends_paragraph=text.ends[piece_number],
            asked_pause_seconds=piece.pause_seconds,
        )
        if len(text.spoken) < len(text.pieces):
            return None
        del self.open[number]
        return number, text.speech()


def with_options(
    texts: Iterable[str | TextAndOptions], options: SpeakOptions
) -> Iterator[TextAndOptions]:
    """Each text with its own options, or with these.

    Raises:
        ConfigError: these are no options.
        TextError: this is one text, or nothing that holds texts.
    """
    if isinstance(texts, str | bytes) or not isinstance(texts, Iterable):
        raise TextError(f"{str(texts)[:60]!r} holds no texts; give a list of them")
    check_options(options)

    def pair_of(text: Any) -> TextAndOptions:
        """What is no pair is looked at like a text: it fails by itself."""
        if isinstance(text, tuple) and len(text) == 2 and isinstance(text[1], SpeakOptions):
            return text
        return text, options  # pyright: ignore[reportReturnType]  # may be no text, as said

    return map(pair_of, texts)


def say_texts(
    speaker_for: Callable[[SpeakOptions], Speaker],
    texts: Iterable[TextAndOptions],
    rows: int,
    model: SpeechModel,
    sampling: SamplingConfig,
    guard: GuardConfig,
) -> Iterator[Outcome]:
    """Speak texts side by side; yields number and speech, or the error, as each is settled.

    Args:
        speaker_for: the speaker of some options.
        texts: what to say and how, taken as they are needed.
        rows: how many pieces are spoken at once.
        model: the language model of all speakers.
        sampling: how ids are drawn.
        guard: when a piece has failed.

    Raises:
        ConfigError: there are no rows.
    """
    if type(rows) is not int or rows < 1:
        raise ConfigError(f"rows={rows!r} must be a whole number of at least 1")

    def outcomes() -> Iterator[Outcome]:
        scheduler = Scheduler(speaker_for, texts)
        results = generate_batch(model, scheduler.requests(), sampling, guard, rows=rows)
        for request, generation in results:
            outcome = scheduler.take(request, generation)
            while scheduler.failed:
                yield scheduler.failed.popleft()
            if outcome is not None:
                yield outcome
        yield from scheduler.failed

    return outcomes()
