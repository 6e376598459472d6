"""What a guided speech model remembers, whatever the engine: two rows beneath for each text, one
that reads it and one that reads only where it would stand.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class GuidedState:
    """What a guided model remembers: two rows beneath for each of its own.

    Attributes:
        beneath: the memory of the model itself.
        positions: ids that each row has read.
        spoken: speech ids that each row has read.
    """

    beneath: Any
    positions: list[int]
    spoken: list[int]

    @property
    def nbytes(self) -> int:
        """Bytes held now, spare capacity included."""
        return self.beneath.nbytes

    def keep_rows(self, rows: list[int]) -> None:
        """Keep only these rows, in this order."""
        self.beneath.keep_rows([half for row in rows for half in (2 * row, 2 * row + 1)])
        self.positions = [self.positions[row] for row in rows]
        self.spoken = [self.spoken[row] for row in rows]

    def copy_row(self, row: int, other: "GuidedState", other_row: int = 0) -> None:
        """Overwrite a row with a row of another memory."""
        for half in (0, 1):
            self.beneath.copy_row(2 * row + half, other.beneath, 2 * other_row + half)
        self.positions[row] = other.positions[other_row]
        self.spoken[row] = other.spoken[other_row]
