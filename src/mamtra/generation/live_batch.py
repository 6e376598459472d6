"""A running batch that texts join and leave at any step, for servers.

``continuous_batching`` speaks a known queue of texts to its end. Here texts come whenever they
come: each is read alone and gets a row, every step draws one speech id for each row, and a row may
be dropped between two steps because nobody listens any more. What a row says does not depend on
its neighbours, by the same means as there.

Ids of a text that can be proofread come together, once no further attempt is made (``queue.py``);
all others come as they are drawn, and who listens may ask for another attempt.

The batch becomes wider by doubling and narrower when half of it is free, so that rows are seldom
copied. Busy rows stand first: the last one takes the place of one that ends, and an engine that can
leaves the free ones out of its steps.
"""

from mamtra.generation.continuous_batching import RESERVED_TOKENS
from mamtra.generation.coverage import coverage_of
from mamtra.generation.draws import Draws, draws_for
from mamtra.generation.guard import GuardConfig, StopReason
from mamtra.generation.queue import TextQueue, records_of
from mamtra.generation.request import Failed, Request, Row, Stopped, Token
from mamtra.generation.sampling import SamplingConfig
from mamtra.runtime.protocols import SpeechModel, State

Record = Token | Stopped | Failed


class LiveBatch:
    """Rows of texts that are being spoken.

    Args:
        model: what speaks.
        slots: most rows.
        sampling: how ids are drawn.
        guard: the limits of each row.

    Attributes:
        held: the attempts at each text whose ids are held back, by its number.
    """

    def __init__(
        self, model: SpeechModel, slots: int, sampling: SamplingConfig, guard: GuardConfig
    ) -> None:
        self.model, self.slots, self.sampling, self.guard = model, slots, sampling, guard
        self.rows: list[Row | None] = []
        self.held: dict[int, TextQueue] = {}
        self.state: State | None = None
        self.draws: Draws | None = None

    @property
    def busy(self) -> int:
        """Rows that hold a text."""
        return sum(row is not None for row in self.rows)

    @property
    def free(self) -> int:
        """Texts that may join now."""
        return self.slots - self.busy

    @property
    def nbytes(self) -> int:
        """Bytes of the state of all rows."""
        return 0 if self.state is None else self.state.nbytes

    def widen(self, request: Request) -> int:
        """A free row; the batch becomes wider if it has none."""
        if None in self.rows:
            return self.rows.index(None)
        width = len(self.rows)
        wider = min(self.slots, max(1, 2 * width))
        most = request.length + min(self.guard.most(request.text_tokens), RESERVED_TOKENS)
        state = self.model.new_state(wider, most)
        if self.state is None or self.draws is None:
            self.draws = draws_for(self.model, wider, self.sampling)
        else:
            for row in range(width):
                state.copy_row(row, self.state, row)
            self.draws.keep_slots(range(width), wider)
        self.state = state
        self.rows += [None] * (wider - width)
        return width

    def add(self, number: int, request: Request) -> None:
        """Read a text and give it a row; ``number`` names it in what ``step`` hands out."""
        if request.proofread is None or self.guard.attempts == 1:
            self.begin(number, request)
            return
        self.held[number] = TextQueue(iter([request]), self.guard.attempts)
        self.go_on(number)

    def go_on(self, number: int) -> None:
        """Begin the next attempt at a text whose ids are held back, or its next part."""
        job = self.held[number].next()
        assert job is not None
        self.begin(number, job[1])

    def end(self, row: Row, reason: StopReason, bytes_per_row: int, slot: int) -> list[Record]:
        """What is handed out when a row ends."""
        assert self.state is not None
        try:
            covered = coverage_of(self.model, row.request, row.history, self.state, slot)
            stopped = row.stopped(reason, bytes_per_row, covered)
            return self.settle(row, stopped) if row.index in self.held else [stopped]
        except Exception as problem:  # whatever it is, the neighbours go on
            self.held.pop(row.index, None)
            return [Failed(row.index, problem)]

    def resume(self) -> list[Record]:
        """Begin the next attempts at texts whose ids are held back."""
        failed: list[Record] = []
        for number in [number for number, queue in self.held.items() if not queue.running]:
            try:
                self.go_on(number)
            except Exception as problem:  # whatever it is, the neighbours go on
                del self.held[number]
                failed.append(Failed(number, problem))
        return failed

    def settle(self, row: Row, stopped: Stopped) -> list[Record]:
        """The ids of a text that were held back, and its end; nothing if it goes on."""
        queue = self.held[row.index]
        (job,) = queue.running  # one at a time
        ids = tuple(row.history[: len(row.history) - stopped.surplus])
        settled = queue.settle(job, ids, stopped)
        if settled is None:
            return []
        del self.held[row.index]
        return list(records_of(row.index, settled[1]))

    def begin(self, number: int, request: Request) -> None:
        """Read a text and give it a row."""
        own = self.model.new_state(1, request.length)
        logits = self.model.read([request.segments], own)
        slot = self.widen(request)
        assert self.state is not None
        assert self.draws is not None
        self.state.copy_row(slot, own)
        row = Row.of(number, request, self.guard)
        self.draws.begin(slot, row, logits[0])
        self.rows[slot] = row

    def free_slot(self, slot: int) -> None:
        """Give up a row; the last busy one takes its place."""
        assert self.state is not None
        assert self.draws is not None
        last = self.busy - 1
        if slot != last:
            self.state.copy_row(slot, self.state, last)
            self.draws.move(last, slot)
            self.rows[slot] = self.rows[last]
        self.rows[last] = None

    def remove(self, number: int) -> None:
        """Stop speaking a text."""
        self.held.pop(number, None)
        for slot, row in enumerate(self.rows):
            if row is not None and row.index == number:
                self.free_slot(slot)
                return

    def narrow(self) -> None:
        """Give up free rows once half of them are; free rows stay at position 0."""
        if self.state is None:
            return
        if not self.busy:
            self.rows, self.state, self.draws = [], None, None
            return
        if 2 * self.busy <= len(self.rows) and not self.model.fixed_width:
            assert self.draws is not None
            busy = self.busy
            self.state.keep_rows(list(range(busy)))
            self.draws.keep_slots(range(busy), busy)
            self.rows = self.rows[:busy]
        for slot, row in enumerate(self.rows):
            if row is None:
                self.state.positions[slot] = 0

    def draw(self) -> list[Record]:
        """The next id of each row; rows that end are free afterwards."""
        assert self.draws is not None
        assert self.state is not None
        vocabulary = self.model.vocabulary
        bytes_per_row = self.nbytes // len(self.rows)
        records: list[Record] = []
        ended_slots: list[int] = []
        for slot, row, token in self.draws.take(self.rows, self.state):
            ended = token in vocabulary.stops
            reason = row.ended() if ended else row.take(token)
            held = row.index in self.held
            if not ended and not held:
                records.append(Token(row.index, token))
            if reason is not None:
                records += self.end(row, reason, bytes_per_row, slot)
                ended_slots.append(slot)
        # an engine that draws has an order of its own; from the last slot on, none that is freed is
        # given to a text that has ended as well
        for slot in sorted(ended_slots, reverse=True):
            self.free_slot(slot)
        return records

    def step(self) -> list[Record]:
        """One speech id for each text; nothing if there is none."""
        self.narrow()
        if not self.busy:
            return []
        records = self.draw()
        if self.busy:
            assert self.draws is not None
            self.draws.step(self.rows, self.state)
        return records + self.resume()
