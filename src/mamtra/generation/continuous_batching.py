"""Continuous batching: texts side by side in one state, where a finished row's slot goes to the
next text.

A batch has a few slots. Each holds a text while it is spoken: its row of the state, its random
source and its loop detector. When a text ends, the next one is read by itself and copied into the
free slot while the others go on, so memory depends on the number of slots and never on the number
of texts. When no text is left, the batch becomes narrower.

What a row says does not depend on its neighbours: it is read alone, draws from its own source and
is masked from their memories. One thing is shared, the matrix products:

- float32: in another width they may round the last bit of a logit differently, and a draw that
  falls within that bit of a boundary differs from the same text spoken alone; by estimate one id in
  10^5 to 10^6. Tests compare ids exactly and logits within 1e-5; of 60 sentences of nano in 2, 5
  and 8 slots (11,600 ids) none differed.
- bfloat16: the same with far coarser bits, so texts may differ.
- int8: products are exact, as each row is rounded on a scale of its own; what is left in float32 is
  as above. Of 12 sentences in a batch of 12 none differed, nor of 60 in 2, 5 and 8 slots on graphs
  of 8 bit.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from mamtra.generation.coverage import coverage_of
from mamtra.generation.draws import draws_for
from mamtra.generation.guard import GuardConfig
from mamtra.generation.queue import Job
from mamtra.generation.request import Request, Row, Stopped, Token
from mamtra.generation.sampling import SamplingConfig
from mamtra.runtime.protocols import SpeechModel, State

RESERVED_TOKENS = 512  # capacity made in advance for the speech; longer ones grow in steps


class Slots:
    """The rows of one running batch and the state that they share.

    Args:
        model: what speaks.
        jobs: one text for each slot.
        sampling: how ids are drawn.
        guard: the limits of each row.

    Attributes:
        rows: the text of each slot, None where it is free.
    """

    def __init__(
        self,
        model: SpeechModel,
        jobs: Sequence[Job],
        sampling: SamplingConfig,
        guard: GuardConfig,
    ) -> None:
        self.model, self.guard = model, guard
        self.rows: list[Row | None] = [None] * len(jobs)
        self.draws = draws_for(model, len(jobs), sampling)
        self.state: State | None = None
        self.capacity = max(self.capacity_for(request) for _, request in jobs)
        for slot, job in enumerate(jobs):
            self.put(slot, job)

    def capacity_for(self, request: Request) -> int:
        """Ids of a state that a text will probably need."""
        most = self.guard.most(request.text_tokens)
        return request.length + min(most, RESERVED_TOKENS)

    def put(self, slot: int, job: Job) -> None:
        """Read a text and let it be spoken in a slot."""
        index, request = job
        lone = len(self.rows) == 1
        own = self.model.new_state(1, self.capacity_for(request) if lone else request.length)
        logits = self.model.read([request.segments], own)[0]
        row = Row.of(index, request, self.guard)
        self.draws.begin(slot, row, logits)
        self.rows[slot] = row
        if lone:
            self.state = own
            return
        if self.state is None:
            self.state = self.model.new_state(len(self.rows), self.capacity)
        self.state.copy_row(slot, own)

    @property
    def busy(self) -> list[int]:
        """Slots that hold a text."""
        return [slot for slot, row in enumerate(self.rows) if row is not None]

    @property
    def free(self) -> list[int]:
        """Slots that hold none."""
        return [slot for slot, row in enumerate(self.rows) if row is None]

    @property
    def bytes_per_slot(self) -> int:
        """What the state takes for each slot."""
        assert self.state is not None
        return self.state.nbytes // len(self.rows)

    def coverage(self, slot: int, row: Row) -> float | None:
        """The share of the row's words that were read; only before its slot is given away."""
        assert self.state is not None
        return coverage_of(self.model, row.request, row.history, self.state, slot)

    def take(self) -> list[tuple[int, Row, int]]:
        """The next id of each text: slot, row and id."""
        return self.draws.take(self.rows, self.state)

    def narrow(self, spare: int) -> None:
        """Give up free slots but for ``spare`` ones.

        Where steps are recorded for one width, a batch keeps its width until half of it is free.
        Free slots read on at position 0, where nothing grows.
        """
        assert self.state is not None
        width = len(self.busy) + spare
        if width < len(self.rows) and (2 * width <= len(self.rows) or not self.model.fixed_width):
            remaining = sorted([*self.busy, *self.free[:spare]])
            self.state.keep_rows(remaining)
            self.rows = [self.rows[slot] for slot in remaining]
            self.draws.keep_slots(remaining, len(remaining))
        for slot in self.free:
            self.state.positions[slot] = 0

    def step(self) -> None:
        """Let each text go on by the id that it drew last."""
        self.draws.step(self.rows, self.state)

    def fill(self, jobs: Sequence[Job]) -> None:
        """Put texts into free slots."""
        for slot, job in zip(self.free, jobs, strict=False):
            self.put(slot, job)


def speak(
    model: SpeechModel,
    next_job: Callable[[], Job | None],
    slots: int,
    sampling: SamplingConfig,
    guard: GuardConfig,
) -> Iterator[Token | Stopped]:
    """Speak texts in so many slots; yields ids as they are drawn, and the end of each row.

    Args:
        model: what speaks.
        next_job: asked for a text for each free slot; None if there are no more. A row's end is
            yielded before, so the same text may be handed out again with another seed.
        slots: how many texts are spoken at once.
        sampling: how ids are drawn.
        guard: the limits of each row.
    """
    first = list(islice(iter(next_job, None), slots))
    if not first:
        return
    batch = Slots(model, first, sampling, guard)
    while True:
        jobs: list[Job] = []
        for slot, row, token in batch.take():
            reason = row.ended() if token in model.vocabulary.stops else row.take(token)
            if token not in model.vocabulary.stops:
                yield Token(row.index, token)
            if reason is not None:
                yield row.stopped(reason, batch.bytes_per_slot, batch.coverage(slot, row))
                batch.rows[slot] = None
                if (job := next_job()) is not None:
                    jobs.append(job)
        if not batch.busy and not jobs:
            return
        batch.narrow(len(jobs))
        if batch.busy:
            batch.step()
        batch.fill(jobs)
