"""Where the next ids of a running batch come from: drawn here from logits, or by the engine.

Both do the same: ``begin`` a row that has read its prompt, ``take`` an id for each row, ``step`` to
go on from them. An engine that draws is always a step ahead: when ids are taken, the step that
reads them has begun. So a row that ends has been stepped once too often, which nobody reads.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from mamtra.errors import GenerationError
from mamtra.generation.randomness import SeededSource
from mamtra.generation.request import Row
from mamtra.generation.sampling import NOT_NUMBERS, SamplingConfig, choose
from mamtra.runtime.draws import DrawingModel, Drawn, DrawRule, RunningDraws
from mamtra.runtime.protocols import SpeechModel

IDLE_ID = 0  # what a slot without a text is given to read
Texts = Sequence[Row | None]


@runtime_checkable
class Draws(Protocol):
    """The source of a batch's next ids. A slot is a row of its state, which holds a text or not."""

    def begin(self, slot: int, row: Row, logits: Float[np.ndarray, " ids"]) -> None:
        """Let a text that was just read be spoken in a slot."""
        ...

    def take(self, rows: Texts, state: Any) -> list[tuple[int, Row, int]]:
        """The next id of each text: slot, row and id.

        Raises:
            GenerationError: logits are not numbers.
        """
        ...

    def step(self, rows: Texts, state: Any) -> None:
        """Go on from the ids that were taken."""
        ...

    def move(self, slot: int, other: int) -> None:
        """Let the text of a slot take the place of another one's."""
        ...

    def keep_slots(self, slots: Sequence[int], width: int) -> None:
        """Keep only these slots, in this order, in a batch of so many."""
        ...


class LogitDraws:
    """Draws here, from the logits that the model gave.

    Attributes:
        logits: of the next id of each slot; of a free one they mean nothing.
    """

    def __init__(self, model: SpeechModel, width: int, sampling: SamplingConfig) -> None:
        self.model, self.sampling = model, sampling
        self.logits = np.zeros((width, model.vocabulary.size), np.float32)

    def begin(self, slot: int, row: Row, logits: Float[np.ndarray, " ids"]) -> None:
        """Let a text that was just read be spoken in a slot."""
        del row
        self.logits[slot] = logits

    def take(self, rows: Texts, state: Any) -> list[tuple[int, Row, int]]:
        """The next id of each text: slot, row and id."""
        del state
        drawn: list[tuple[int, Row, int]] = []
        for slot, row in enumerate(rows):
            if row is not None:
                forbidden = row.forbidden(self.model.vocabulary)
                given = self.logits[slot]
                token = choose(given, forbidden, row.history, row.source, self.sampling)
                drawn.append((slot, row, token))
        return drawn

    def step(self, rows: Texts, state: Any) -> None:
        """Go on from the ids that were taken; free slots at the end may be left out."""
        if self.model.steps_first_rows:
            busy = max(slot for slot, row in enumerate(rows) if row is not None)
            rows = rows[: busy + 1]
        ids = [IDLE_ID if row is None else row.history[-1] for row in rows]
        self.logits[: len(rows)] = self.model.step(ids, state)

    def move(self, slot: int, other: int) -> None:
        """Let the text of a slot take the place of another one's."""
        self.logits[other] = self.logits[slot]

    def keep_slots(self, slots: Sequence[int], width: int) -> None:
        """Keep only these slots, in this order, in a batch of so many."""
        kept = np.zeros((width, self.logits.shape[1]), np.float32)
        kept[: len(slots)] = self.logits[list(slots)]
        self.logits = kept


@dataclass(frozen=True, slots=True, eq=False)
class Coming:
    """An id that the engine was asked for.

    Attributes:
        row: whose it is.
        drawn: the ids that it comes with.
        place: its place among them.
    """

    row: Row
    drawn: Drawn
    place: int


class EngineDraws:
    """Takes what the engine draws.

    Attributes:
        rounds: what was asked for and not read yet, the oldest first. The text of a slot may change
            meanwhile, so each id knows whose it is.
    """

    def __init__(self, running: RunningDraws) -> None:
        self.running = running
        self.rounds: deque[list[Coming]] = deque([[]])

    def begin(self, slot: int, row: Row, logits: Float[np.ndarray, " ids"]) -> None:
        """Let a text that was just read be spoken in a slot."""
        assert isinstance(row.source, SeededSource), "rows are made with one"
        drawn = self.running.begin(slot, logits, row.least, row.source.uniforms)
        self.rounds[-1].append(Coming(row, drawn, 0))

    def take(self, rows: Texts, state: Any) -> list[tuple[int, Row, int]]:
        """The next id of each text: slot, row and id."""
        drawn = self.running.step(state)
        asked = enumerate(rows)
        self.rounds.append([Coming(row, drawn, slot) for slot, row in asked if row is not None])
        slots = {id(row): slot for slot, row in enumerate(rows) if row is not None}
        taken: list[tuple[int, Row, int]] = []
        for coming in self.rounds.popleft():
            slot = slots.get(id(coming.row))
            token = coming.drawn.read()[coming.place]
            if slot is None:  # it has ended
                continue
            if token < 0:
                raise GenerationError(NOT_NUMBERS)
            taken.append((slot, coming.row, token))
        return taken

    def step(self, rows: Texts, state: Any) -> None:
        """Nothing is left to do: the step began when ids were taken."""
        del rows, state

    def move(self, slot: int, other: int) -> None:
        """Let the text of a slot take the place of another one's."""
        self.running.move(slot, other)

    def keep_slots(self, slots: Sequence[int], width: int) -> None:
        """Keep only these slots, in this order, in a batch of so many."""
        self.running.keep_rows(slots, width)


def rule_of(sampling: SamplingConfig) -> DrawRule | None:
    """A way of drawing as engines know it; None for one that they do not."""
    if sampling.min_p or sampling.repetition_penalty != 1:
        return None
    greedy, again = sampling.method == "greedy", sampling.method == "repetition-aware"
    return DrawRule(
        temperature=1.0 if greedy else sampling.temperature,
        top_p=sampling.top_p,
        top_k=1 if greedy else sampling.top_k,
        window=sampling.window,
        repeats=math.ceil(sampling.window * sampling.repetition_share) if again else 0,
    )


def draws_for(model: SpeechModel, width: int, sampling: SamplingConfig) -> Draws:
    """Where the ids of a batch of so many slots come from."""
    rule = rule_of(sampling)
    if rule is not None and isinstance(model, DrawingModel):
        running = model.draws(width, rule)
        if running is not None:
            return EngineDraws(running)
    return LogitDraws(model, width, sampling)
