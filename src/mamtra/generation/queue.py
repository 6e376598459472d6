"""Texts on their way through a batch: which attempt comes next, and what came of each.

A failed text is tried again with another seed, as one whose ids say it badly, and the best attempt
is kept. Where words were skipped and another seed has not helped, the text is spoken in two parts,
each of which may be tried again and cut in its turn: a model loses fewer words of shorter texts.
The ids of the parts follow each other as those of one text, if that is better than the best attempt
at the whole.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from mamtra.generation.guard import FAILURES, StopReason
from mamtra.generation.request import Request, Stopped, Token

# primes: the seeds of neighbours, of pieces, of their retries and of their parts never meet
RETRY_STRIDE = 1_000_003
PIECE_STRIDE = 7_368_787
PART_STRIDE = 15_485_863
WHOLE_ATTEMPTS = 2  # at a text with skipped words, before it is spoken in parts
REASONS: tuple[StopReason, ...] = ("end", *FAILURES)  # the mildest first

Job = tuple[int, Request]  # the row's number in what is yielded, and its text


def piece_seed(seed: int, number: int) -> int:
    """The seed of a text's piece, counted from 0, however it is spoken."""
    return seed + number * PIECE_STRIDE


@dataclass(frozen=True, slots=True)
class Generation:
    """The speech ids of one text.

    Attributes:
        ids: without the end mark, and without the surplus of a loop or of silence.
        seed: that of the attempt the ids come from; of a text spoken in parts, that of its first.
        attempts: how many were made, those at its parts included.
        state_bytes: bytes of the text's state at the end, spare capacity included; a batch has
            capacity for its longest.
        coverage: share of the text's words that were read; None where the model cannot tell.
        misread: how badly the ids say the text; 0 where nothing is wrong, or nobody can tell.
    """

    ids: tuple[int, ...]
    reason: StopReason
    seed: int
    attempts: int
    state_bytes: int = field(default=0, compare=False)
    coverage: float | None = field(default=None, compare=False)
    misread: float = field(default=0.0, compare=False)

    @property
    def wanting(self) -> bool:
        """Whether another attempt may be better."""
        return self.reason in FAILURES or self.misread > 0


def records_of(row: int, said: Generation) -> list[Token | Stopped]:
    """A settled text as the records of a row that drew its ids."""
    end = Stopped(
        row=row,
        reason=said.reason,
        state_bytes=said.state_bytes,
        coverage=said.coverage,
        misread=said.misread,
        attempts=said.attempts,
        settled=True,
    )
    return [*(Token(row, token) for token in said.ids), end]


def better(first: Generation | None, second: Generation) -> Generation:
    """The better of two attempts that leave something to be wished.

    One that ended by itself, or failed mildly; that read more words, said them better, is longer.
    """
    if first is None:
        return second

    def merit(one: Generation) -> tuple[int, float, float, int]:
        covered = one.coverage if one.coverage is not None else float(one.reason == "end")
        return -REASONS.index(one.reason), covered, -one.misread, len(one.ids)

    chosen = second if merit(second) > merit(first) else first
    return replace(chosen, attempts=second.attempts)


@dataclass(slots=True)
class Text:
    """A text, or a part of one, and what came of it so far.

    Attributes:
        number: of the text, as results are named.
        attempts: made at it as a whole.
        best: of them.
        result: the best, once nothing more is tried.
        whole: the text that it is a part of.
        parts: its own parts; empty until it is spoken in parts.
    """

    number: int
    request: Request
    attempts: int = 0
    best: Generation | None = None
    result: Generation | None = None
    whole: "Text | None" = None
    parts: "list[Text]" = field(default_factory=list["Text"])

    @property
    def root(self) -> "Text":
        """The text that all of this is a part of."""
        return self if self.whole is None else self.whole.root

    def attempt(self) -> Request:
        """The request of the next attempt."""
        self.attempts += 1
        seed = self.request.seed + (self.attempts - 1) * RETRY_STRIDE
        return replace(self.request, seed=seed)

    def take(self, found: Generation) -> Generation:
        """Keep an attempt if it is the best, or leaves nothing to be wished."""
        self.best = better(self.best, found) if found.wanting else found
        return self.best

    def cut(self) -> "list[Text]":
        """Its parts, to be spoken; none where it has none or was cut before."""
        if not self.parts:
            for place, request in enumerate(self.request.parts(), start=1):
                seed = self.request.seed + place * PART_STRIDE
                self.parts.append(Text(self.number, replace(request, seed=seed), whole=self))
            return self.parts
        return []

    def joined(self, results: Sequence[Generation]) -> Generation:
        """The parts as one result; a failure of one is a failure of all."""
        worst = max(REASONS.index(part.reason) for part in results)
        sizes = [len(part.request.words) for part in self.parts]
        known = [
            (r.coverage, n) for r, n in zip(results, sizes, strict=True) if r.coverage is not None
        ]
        words = sum(size for _, size in known)
        return Generation(
            ids=tuple(token for part in results for token in part.ids),
            reason=REASONS[worst],
            seed=results[0].seed,
            attempts=self.attempts + sum(part.attempts for part in results),
            state_bytes=max(part.state_bytes for part in results),
            coverage=sum(share * size for share, size in known) / words if words else None,
            misread=sum(part.misread for part in results),
        )


@dataclass(slots=True)
class TextQueue:
    """Texts that wait for a batch slot, and those that are spoken; retries and parts go first.

    Attributes:
        requests: those never tried.
        attempts: most at a text as a whole.
        running: what is being spoken, by the number of its row.
        again: to be spoken again, or in parts.
    """

    requests: Iterator[Request]
    attempts: int
    running: dict[int, Text] = field(default_factory=dict[int, Text])
    again: deque[Text] = field(default_factory=deque[Text])
    rows: Iterator[int] = field(default_factory=count)
    numbers: Iterator[int] = field(default_factory=count)

    def next(self) -> Job | None:
        """The next row and its request; None if there are no more."""
        if self.again:
            text = self.again.popleft()
        else:
            request = next(self.requests, None)
            if request is None:
                return None
            text = Text(next(self.numbers), request)
        row = next(self.rows)
        self.running[row] = text
        return row, text.attempt()

    def settle(self, row: int, ids: tuple[int, ...], end: Stopped) -> tuple[int, Generation] | None:
        """Take what a row has said; number and result of its text once that is settled."""
        text = self.running.pop(row)
        found = self.generation(text, ids, end)
        best = text.take(found)
        if best.wanting:
            if best.reason == "skipped" and text.attempts >= WHOLE_ATTEMPTS and (cut := text.cut()):
                self.again.extend(cut)
                return None
            if text.attempts < self.attempts:
                self.again.append(text)
                return None
        return self.settled(text, best)

    def settled(self, text: Text, result: Generation) -> tuple[int, Generation] | None:
        """Hand a result to the text that it is a part of, or out."""
        whole, text.result = text.whole, result
        if whole is None:
            return text.number, result
        results = [part.result for part in whole.parts if part.result is not None]
        if len(results) < len(whole.parts):
            return None
        return self.settled(whole, whole.take(whole.joined(results)))

    def cancelled(self, spoken: dict[int, list[int]]) -> list[tuple[int, Generation]]:
        """Number and result of what is unfinished, as it is; ``spoken`` has the ids of each row."""
        found: dict[int, Generation] = {}
        for row, text in [*self.running.items(), *((-1, text) for text in self.again)]:
            root = text.root
            ids = tuple(spoken.get(row, ()))
            if root.best is not None and root.best.reason == "end":
                found[root.number] = root.best  # whole, though another attempt was being made
                continue
            if root.best is not None and not (root is text and ids):
                ids = root.best.ids
            found[root.number] = self.generation(root, ids, Stopped(row, "cancelled"))
        return sorted(found.items())

    @staticmethod
    def generation(text: Text, ids: tuple[int, ...], end: Stopped) -> Generation:
        """What the last attempt at a text gave."""
        seed = text.request.seed + (text.attempts - 1) * RETRY_STRIDE
        return Generation(
            ids=ids,
            reason=end.reason,
            seed=seed,
            attempts=text.attempts,
            state_bytes=end.state_bytes,
            coverage=end.coverage,
            misread=end.misread,
        )
