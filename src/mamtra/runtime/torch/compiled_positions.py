"""Positions of the one new token of each row, and its rotary angles, for compiled steps."""

import numpy as np
import torch
from numpy import ndarray

from mamtra.backbone.positions import TABLE_TOKENS, RopeScaling, rotary_table


class RowPositions:
    """Positions of a step and their rotary angles."""

    def __init__(
        self, rows: int, head_dim: int, theta: float, scaling: RopeScaling | None = None
    ) -> None:
        self.head_dim, self.theta, self.scaling = head_dim, theta, scaling
        self.tables: tuple[ndarray, ndarray] = self.read_tables(TABLE_TOKENS)
        self.positions = np.zeros(rows, np.int64)

    def read_tables(self, tokens: int) -> tuple[ndarray, ndarray]:
        """Cosine and sine of so many positions, each head in halves."""
        device = torch.device("cpu")
        tables = rotary_table(
            tokens, self.head_dim, self.theta, torch.float32, device, self.scaling
        )
        cosine, sine = (table.numpy().reshape(tokens, 1, 2, -1) for table in tables)
        return cosine, sine

    def set(self, positions: list[int]) -> None:
        """Let the rows be at these positions."""
        end = max(positions) + 1
        if end > len(self.tables[0]):
            self.tables = self.read_tables(-(-end // TABLE_TOKENS) * TABLE_TOKENS)
        self.positions[:] = positions
        at = slice(positions[0], end) if min(positions) + 1 == end else self.positions
        self.cosine, self.sine = self.tables[0][at], self.tables[1][at]

    def flat_turn(self) -> tuple[ndarray, ndarray]:
        """Cosine and sine as wide as a head: a row for each row, or one for all."""
        return self.cosine.reshape(-1, self.head_dim), self.sine.reshape(-1, self.head_dim)
