"""Generating speech ids, as a generator of small records.

``stream`` speaks one or many texts at once and yields every id the moment it is drawn; a consumer
stops it by not asking for more. ``generate`` and ``generate_batch`` wait for whole texts and try a
failed one again with another seed, or in parts (``queue.py``), which a stream cannot: what it
yielded may have been heard. So of a text whose ids can be proofread a stream yields none until all
are there.

Rows are independent: each has its own row of the state, random source and loop detector, and a row
of a batch says what it would say alone. ``continuous_batching.py`` keeps them side by side.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from mamtra.generation.continuous_batching import RESERVED_TOKENS, speak
from mamtra.generation.guard import GuardConfig
from mamtra.generation.queue import RETRY_STRIDE, Generation, TextQueue, piece_seed, records_of
from mamtra.generation.request import Request, Stopped, Token
from mamtra.generation.sampling import SamplingConfig
from mamtra.runtime.protocols import SpeechModel

__all__ = [
    "RESERVED_TOKENS",
    "RETRY_STRIDE",
    "Generation",
    "Request",
    "Stopped",
    "Token",
    "generate",
    "generate_batch",
    "piece_seed",
    "stream",
]


def stream(
    model: SpeechModel,
    requests: Sequence[Request],
    sampling: SamplingConfig | None = None,
    guard: GuardConfig | None = None,
) -> Iterator[Token | Stopped]:
    """Speak texts side by side; yields ids row by row as they are drawn, and each row's end.

    If one of them can be proofread, all are spoken as ``generate_batch`` does, and the ids of each
    come together.
    """
    attempts = (guard or GuardConfig()).attempts
    if attempts > 1 and any(request.proofread is not None for request in requests):
        for row, said in generate_batch(model, requests, sampling, guard):
            yield from records_of(row, said)
        return
    jobs = iter(enumerate(requests))
    yield from speak(
        model,
        lambda: next(jobs, None),
        len(requests),
        sampling or SamplingConfig(),
        guard or GuardConfig(),
    )


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
    queue = TextQueue(iter(requests), guard.attempts)
    spoken: dict[int, list[int]] = {}
    for record in speak(model, queue.next, rows, sampling, guard):
        said = spoken.setdefault(record.row, [])
        if isinstance(record, Token):
            said.append(record.id)
            if cancelled():
                break
            continue
        del spoken[record.row]
        ids = tuple(said[: len(said) - record.surplus])
        if (settled := queue.settle(record.row, ids, record)) is not None:
            yield settled
    # only a cancelled batch leaves rows behind
    yield from queue.cancelled(spoken)


def generate(
    model: SpeechModel,
    request: Request,
    sampling: SamplingConfig | None = None,
    guard: GuardConfig | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Generation:
    """Speak one text; as ``generate_batch`` with one row."""
    return next(generate_batch(model, [request], sampling, guard, cancelled))[1]
