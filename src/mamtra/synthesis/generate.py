"""Generating speech ids, as a generator of small records.

``stream`` speaks one or many texts at once and yields every id the moment it is drawn; a consumer
stops it by not asking for more. ``generate`` and ``generate_batch`` wait for whole texts and try a
failed one again with another seed, which a stream cannot: what it yielded may have been heard.

Rows are independent: each has its own memory, random generator and watchdog, and a row of a batch
says what it would say alone. A finished row leaves the batch, and the others go on without it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch

from mamtra.errors import TextError
from mamtra.speech_lm import Segment, SpeechLM, SpeechVocabulary, zero_shot
from mamtra.synthesis.guard import FAILURES, GuardConfig, StopReason, Watchdog
from mamtra.synthesis.sampling import SamplingConfig, choose, seeded

RESERVED_TOKENS = 512  # room made in advance for the answer; longer ones grow in steps
RETRY_STRIDE = 1_000_003  # between the seeds of two attempts, so that neighbouring seeds never meet


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
    """

    row: int
    reason: StopReason
    surplus: int = 0


@dataclass(frozen=True, slots=True)
class Generation:
    """The speech ids of one text.

    Attributes:
        ids: without the end mark, and without the surplus of a loop or of silence.
        seed: that of the attempt the ids come from.
        attempts: how many were made.
    """

    ids: tuple[int, ...]
    reason: StopReason
    seed: int
    attempts: int


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
    def of(cls, index: int, request: Request, guard: GuardConfig, device: torch.device) -> "Row":
        """A row that has said nothing yet."""
        least, most = guard.least(request.text_tokens), guard.most(request.text_tokens)
        return cls(index, seeded(request.seed, device), Watchdog(guard), least, most)

    def forbidden(self, vocabulary: SpeechVocabulary) -> tuple[int, ...]:
        """Ids that may not come next: never the unused and the fill mark, nor an early end."""
        never = (vocabulary.unused, vocabulary.fill)
        return never if len(self.history) >= self.least else (vocabulary.end, *never)

    def take(self, token: int) -> StopReason | None:
        """Note an id; a reason to stop after it, if there is one."""
        self.history.append(token)
        reason = self.watchdog.see(token)
        return reason or ("budget" if len(self.history) >= self.most else None)

    def stopped(self, reason: StopReason) -> Stopped:
        """The record that ends this row."""
        looped = reason in ("repetition", "silence")
        return Stopped(self.index, reason, self.watchdog.surplus if looped else 0)


def stream(
    model: SpeechLM,
    requests: Sequence[Request],
    sampling: SamplingConfig | None = None,
    guard: GuardConfig | None = None,
) -> Iterator[Token | Stopped]:
    """Speak texts side by side; yields ids row by row as they are drawn, and each row's end."""
    sampling, guard = sampling or SamplingConfig(), guard or GuardConfig()
    device, vocabulary = model.device, model.vocabulary
    rows = [Row.of(index, request, guard, device) for index, request in enumerate(requests)]
    prompts = [request.segments for request in requests]
    longest = max(sum(len(segment.ids) for segment in prompt) for prompt in prompts)
    reserved = min(max(row.most for row in rows), RESERVED_TOKENS)
    state = model.new_state(len(rows), longest + reserved)
    logits = model.read(prompts, state)
    while True:
        forbidden = [row.forbidden(vocabulary) for row in rows]
        histories, generators = [row.history for row in rows], [row.generator for row in rows]
        chosen = choose(logits, forbidden, histories, generators, sampling)
        going: list[int] = []
        for place, (row, token) in enumerate(zip(rows, chosen, strict=True)):
            if token == vocabulary.end:
                yield row.stopped("end")
                continue
            reason = row.take(token)
            yield Token(row.index, token)
            if reason is None:
                going.append(place)
            else:
                yield row.stopped(reason)
        if not going:
            return
        if len(going) < len(rows):
            state.keep_rows(going)
            rows, chosen = [rows[place] for place in going], [chosen[place] for place in going]
        logits = model.step(torch.tensor(chosen, device=device), state)


def attempt(
    model: SpeechLM,
    requests: Sequence[Request],
    sampling: SamplingConfig | None,
    guard: GuardConfig,
    cancelled: Callable[[], bool],
) -> Iterator[tuple[int, tuple[int, ...], StopReason]]:
    """One try at each text: yields its place, its ids and why it stopped, as each one ends."""
    ids: list[list[int]] = [[] for _ in requests]
    open_rows = set(range(len(requests)))
    for record in stream(model, requests, sampling, guard):
        if isinstance(record, Token):
            ids[record.row].append(record.id)
            if cancelled():
                break
        else:
            open_rows.remove(record.row)
            spoken = ids[record.row]
            yield record.row, tuple(spoken[: len(spoken) - record.surplus]), record.reason
    for row in sorted(open_rows):
        yield row, tuple(ids[row]), "cancelled"


def better(first: Generation | None, second: Generation) -> Generation:
    """The better of two failed attempts: the milder failure, then the longer speech."""
    if first is None:
        return second
    milder = FAILURES.index(second.reason) - FAILURES.index(first.reason)
    longer = len(second.ids) > len(first.ids)
    chosen = second if milder < 0 or (milder == 0 and longer) else first
    return replace(chosen, attempts=second.attempts)


def generate_batch(
    model: SpeechLM,
    requests: Sequence[Request],
    sampling: SamplingConfig | None = None,
    guard: GuardConfig | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[int, Generation]]:
    """Speak texts side by side, failed ones again; yields place and result as each is settled.

    Args:
        model: the speech LM.
        requests: what to speak, each with its own seed.
        sampling: how ids are drawn.
        guard: when a text has failed, and how often to try.
        cancelled: asked after every id; once true, what is unfinished ends as it is.
    """
    guard = guard or GuardConfig()
    waiting = dict(enumerate(requests))
    best: dict[int, Generation] = {}
    for number in range(guard.attempts):
        places = list(waiting)
        tries = [
            replace(waiting[place], seed=waiting[place].seed + number * RETRY_STRIDE)
            for place in places
        ]
        for row, ids, reason in attempt(model, tries, sampling, guard, cancelled):
            place, result = places[row], Generation(ids, reason, tries[row].seed, number + 1)
            if reason in FAILURES:
                result = best[place] = better(best.get(place), result)
            if reason not in FAILURES or number + 1 == guard.attempts:
                del waiting[place]
                yield place, result
        if not waiting:
            return


def generate(
    model: SpeechLM,
    request: Request,
    sampling: SamplingConfig | None = None,
    guard: GuardConfig | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Generation:
    """Speak one text; as ``generate_batch`` with one row."""
    return next(generate_batch(model, [request], sampling, guard, cancelled))[1]
