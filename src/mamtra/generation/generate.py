"""Generating speech ids, as a generator of small records.

``stream`` speaks one or many texts at once and yields every id the moment it is drawn; a consumer
stops it by not asking for more. ``generate`` and ``generate_batch`` wait for whole texts and try a
failed one again with another seed, which a stream cannot: what it yielded may have been heard.

Rows are independent: each has its own row of the state, random source and loop detector, and a row
of a batch says what it would say alone. ``continuous_batching.py`` keeps them side by side.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from mamtra.generation.continuous_batching import RESERVED_TOKENS, Job, speak
from mamtra.generation.guard import FAILURES, GuardConfig, StopReason
from mamtra.generation.request import Request, Stopped, Token
from mamtra.generation.sampling import SamplingConfig
from mamtra.runtime.protocols import SpeechModel

__all__ = [
    "RESERVED_TOKENS",
    "Generation",
    "Request",
    "Stopped",
    "Token",
    "generate",
    "generate_batch",
    "piece_seed",
    "stream",
]

# primes: the seeds of neighbours, of pieces and of their retries never meet
RETRY_STRIDE = 1_000_003
PIECE_STRIDE = 7_368_787


def piece_seed(seed: int, number: int) -> int:
    """The seed of a text's piece, counted from 0, however it is spoken."""
    return seed + number * PIECE_STRIDE


@dataclass(frozen=True, slots=True)
class Generation:
    """The speech ids of one text.

    Attributes:
        ids: without the end mark, and without the surplus of a loop or of silence.
        seed: that of the attempt the ids come from.
        attempts: how many were made.
        state_bytes: bytes of the text's state at the end, spare capacity included; a batch has
            capacity for its longest.
        coverage: share of the text's words that were read; None where the model cannot tell.
    """

    ids: tuple[int, ...]
    reason: StopReason
    seed: int
    attempts: int
    state_bytes: int = field(default=0, compare=False)
    coverage: float | None = field(default=None, compare=False)


def stream(
    model: SpeechModel,
    requests: Sequence[Request],
    sampling: SamplingConfig | None = None,
    guard: GuardConfig | None = None,
) -> Iterator[Token | Stopped]:
    """Speak texts side by side; yields ids row by row as they are drawn, and each row's end."""
    jobs = iter(enumerate(requests))
    yield from speak(
        model,
        lambda: next(jobs, None),
        len(requests),
        sampling or SamplingConfig(),
        guard or GuardConfig(),
    )


def better(first: Generation | None, second: Generation) -> Generation:
    """The better of two failed attempts: the milder failure, more words read, longer speech."""
    if first is None:
        return second

    def merit(one: Generation) -> tuple[int, float, int]:
        return -FAILURES.index(one.reason), one.coverage or 0.0, len(one.ids)

    chosen = second if merit(second) > merit(first) else first
    return replace(chosen, attempts=second.attempts)


@dataclass(slots=True)
class TextQueue:
    """Queue of texts queue for a batch slot; retries go first.

    Attributes:
        requests: those never tried.
        tries: number, request and attempts so far of each text that is being spoken.
        again: numbers of the texts to be tried again.
    """

    requests: Iterator[tuple[int, Request]]
    tries: dict[int, tuple[Request, int]] = field(default_factory=dict[int, tuple[Request, int]])
    again: deque[int] = field(default_factory=deque[int])

    def next(self) -> Job | None:
        """The next text with the seed of its attempt; None if there are no more."""
        if self.again:
            number = self.again.popleft()
            request, made = self.tries[number]
        else:
            following = next(self.requests, None)
            if following is None:
                return None
            (number, request), made = following, 0
        self.tries[number] = request, made + 1
        return number, replace(request, seed=request.seed + made * RETRY_STRIDE)

    def result(self, number: int, ids: tuple[int, ...], end: Stopped) -> Generation:
        """What the attempt that has just ended gave."""
        request, made = self.tries[number]
        seed = request.seed + (made - 1) * RETRY_STRIDE
        return Generation(ids, end.reason, seed, made, end.state_bytes, end.coverage)


def generate_batch(
    model: SpeechModel,
    requests: Iterable[Request],
    sampling: SamplingConfig | None = None,
    guard: GuardConfig | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    rows: int | None = None,
) -> Iterator[tuple[int, Generation]]:
    """Speak texts side by side, failed ones again; yields number and result as each is settled.

    Args:
        model: what speaks.
        requests: what to speak, each with its own seed; with ``rows`` they are taken one by one, as
            slots become free.
        sampling: how ids are drawn.
        guard: when a text has failed, and how often to try.
        cancelled: asked after every id; once true, what is unfinished ends as it is.
        rows: how many are spoken at once; without it, all.
    """
    sampling, guard = sampling or SamplingConfig(), guard or GuardConfig()
    if rows is None:
        requests = list(requests)
        rows = len(requests)
    queue = TextQueue(iter(enumerate(requests)))
    best: dict[int, Generation] = {}
    spoken: dict[int, list[int]] = {}
    for record in speak(model, queue.next, rows, sampling, guard):
        said = spoken.setdefault(record.row, [])
        if isinstance(record, Token):
            said.append(record.id)
            if cancelled():
                break
            continue
        ids = tuple(said[: len(said) - record.surplus])
        result = queue.result(record.row, ids, record)
        del spoken[record.row]
        if result.reason in FAILURES:
            result = best[record.row] = better(best.get(record.row), result)
            if queue.tries[record.row][1] < guard.attempts:
                queue.again.append(record.row)
                continue
        best.pop(record.row, None)
        del queue.tries[record.row]
        yield record.row, result
    # only a cancelled batch leaves rows behind
    for number in sorted(queue.tries):
        yield (
            number,
            queue.result(number, tuple(spoken.get(number, ())), Stopped(number, "cancelled")),
        )


def generate(
    model: SpeechModel,
    request: Request,
    sampling: SamplingConfig | None = None,
    guard: GuardConfig | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Generation:
    """Speak one text; as ``generate_batch`` with one row."""
    return next(generate_batch(model, [request], sampling, guard, cancelled))[1]
