"""Where the one new token of each row lies, for steps whose small operations are numpy's.

Rotary positions are a cosine and a sine per row here, not a matrix: numpy starts an operation so
fast that three small ones beat a product.

Axes: b rows, h heads, d head width.
"""

import numpy as np
import torch
from jaxtyping import Float
from numpy import add, multiply, ndarray
from torch import Tensor

from mamtra.backbone.positions import TABLE_TOKENS, rotary_table
from mamtra.runtime.torch.layers import Buffers


class Turner:
    """Heads and the same heads turned by an angle.

    Attributes:
        turned: the result, row by row and head by head.
    """

    def __init__(
        self, heads: Float[ndarray, "rows heads width"], buffers: Buffers, name: str
    ) -> None:
        rows, count, width = heads.shape
        self.turned = buffers.get(name, count, width)
        self.halves = (rows, count, 2, width // 2)
        self.heads, self.out = heads, self.turned.numpy()
        if width % 2 == 0:
            self.straight = heads.reshape(self.halves)
            self.swapped = self.straight[:, :, ::-1]
            self.result = self.out.reshape(self.halves)
            self.spare = buffers.get("spare", *self.halves[1:]).numpy()

    def turn(self, cosine: ndarray, sine: ndarray) -> ndarray:
        """Turn the heads; cosines and sines are ``rows 1 2 width/2``."""
        multiply(self.straight, cosine, out=self.result)
        multiply(self.swapped, sine, out=self.spare)
        add(self.result, self.spare, out=self.result)
        return self.out

    def keep(self) -> None:
        """Take the heads as they are."""
        self.out[...] = self.heads


class NumpyPlace:
    """Positions of a step, in every form that a layer asks for."""

    def __init__(self, rows: int, kv_heads: int, head_dim: int, theta: float) -> None:
        self.kv_heads, self.head_dim, self.theta = kv_heads, head_dim, theta
        self.rows = np.arange(rows)
        self.tables: tuple[ndarray, ndarray] = self.read_tables(TABLE_TOKENS)
        self.shared: int | None = None
        self.positions = np.zeros(rows, np.int64)
        self.end = 0
        self.hidden_from: Float[Tensor, "groups 1 places"] | None = None

    def read_tables(self, tokens: int) -> tuple[ndarray, ndarray]:
        """Cosine and sine of so many positions, each head in halves."""
        device = torch.device("cpu")
        tables = rotary_table(tokens, self.head_dim, self.theta, torch.float32, device)
        cosine, sine = (table.numpy().reshape(tokens, 1, 2, -1) for table in tables)
        return cosine, sine

    def set(self, positions: list[int]) -> None:
        """Let the rows be at these positions."""
        self.end = max(positions) + 1
        if self.end > len(self.tables[0]):
            self.tables = self.read_tables(-(-self.end // TABLE_TOKENS) * TABLE_TOKENS)
        level = min(positions) + 1 == self.end
        self.shared = positions[0] if level else None
        self.positions[:] = positions
        at = slice(self.shared, self.end) if level else self.positions
        self.cosine, self.sine = self.tables[0][at], self.tables[1][at]
        scale = self.head_dim**-0.5
        self.query_cosine, self.query_sine = self.cosine * scale, self.sine * scale
        self.hidden_from = None if level else self.later()

    def later(self) -> Float[Tensor, "groups 1 places"]:
        """Minus infinity at the places that a row has not reached."""
        hidden = np.arange(self.end) > self.positions[:, None]
        shown = np.where(hidden, np.float32(-np.inf), np.float32(0))
        return torch.from_numpy(np.repeat(shown, self.kv_heads, axis=0)[:, None])

    def flat_turn(self) -> tuple[ndarray, ndarray]:
        """Cosine and sine as wide as a head: a row for each row, or one for all."""
        return self.cosine.reshape(-1, self.head_dim), self.sine.reshape(-1, self.head_dim)

    def store(self, heads: Float[ndarray, "rows kv_heads width"], memory: Tensor) -> None:
        """Write one key or value per row and head where it belongs."""
        if self.shared is not None:
            memory.numpy()[:, :, self.shared] = heads
        else:
            memory.numpy()[self.rows, :, self.positions] = heads
