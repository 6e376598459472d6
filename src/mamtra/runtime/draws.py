"""What an engine offers that draws ids itself, where its logits are.

Bringing logits to the processor, drawing there and bringing the id back takes a GPU as long as a
whole step. An engine that draws goes on from each id before anybody has read it; the ids follow a
step behind. How ids are drawn and from which random numbers is still said from outside, and what is
drawn is what ``generation/sampling.py`` would draw.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawRule:
    """How an id is drawn.

    Attributes:
        temperature: logits are divided by it.
        top_p, top_k: the most probable ids are kept until they hold ``top_p`` or are ``top_k``.
        window: how many of the last ids count as recent.
        repeats: an id that was drawn so often in the window is drawn again from all others; 0 for
            never.
    """

    temperature: float
    top_p: float
    top_k: int
    window: int
    repeats: int


@runtime_checkable
class Drawn(Protocol):
    """Ids on their way to the processor."""

    def read(self) -> Sequence[int]:
        """An id for each row, -1 where the logits were not numbers; waits for them."""
        ...


@runtime_checkable
class RunningDraws(Protocol):
    """The rows of a running batch, as an engine draws for them."""

    def begin(
        self,
        row: int,
        logits: Float[np.ndarray, " ids"],
        least: int,
        uniforms: Callable[[int], Float[np.ndarray, " count"]],
    ) -> Drawn:
        """Draw a row's first id.

        Args:
            row: that has read its prompt.
            logits: of its first id.
            least: ids before which it may not end.
            uniforms: the next so many random numbers from 0 to 1 of the row's source.
        """
        ...

    def step(self, state: Any) -> Drawn:
        """Let each row read the id that was drawn last, and draw the next."""
        ...

    def move(self, row: int, other: int) -> None:
        """Let a row take the place of another one."""
        ...

    def keep_rows(self, rows: Sequence[int], width: int) -> None:
        """Keep only these rows, in this order, in a batch of so many."""
        ...


@runtime_checkable
class DrawingModel(Protocol):
    """A speech model that may draw ids itself."""

    def draws(self, rows: int, rule: DrawRule) -> RunningDraws | None:
        """Draw for a batch of so many rows; None where it cannot, and the caller has to."""
        ...
