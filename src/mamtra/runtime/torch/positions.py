"""Positions of a step of one token per row: rotations, slots in the caches, masks.

Worked out once per step and read by every layer. Rotary positions are a matrix per row here: one
small product turns all heads, where cosines and sines would take three operations.

Rows that stand at the same position need no mask and write their keys side by side. Rows that do
not, and steps that are recorded as a CUDA graph, keep positions in a tensor, look at a fixed number
of stored positions, and hide those that come later.

Axes: b rows, d head width, p stored positions, k key/value heads.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mamtra.backbone.positions import TABLE_TOKENS, Positions, RopeScaling, rotary_table


class StepPositions:
    """Positions of a step, in every form that a layer asks for.

    Attributes:
        starts: tokens that each row has read, where Python knows them; a recorded step does not.
    """

    def __init__(
        self,
        rows: int,
        kv_heads: int,
        head_dim: int,
        theta: float,
        dtype: torch.dtype,
        device: torch.device,
        scaling: RopeScaling | None = None,
    ) -> None:
        half = head_dim // 2
        self.kv_heads, self.head_dim, self.theta, self.half = kv_heads, head_dim, theta, half
        self.scaling = scaling
        self.exact_turn = torch.zeros(rows, head_dim, head_dim, device=device)
        self.turn = self.exact_turn.to(dtype)
        self.turn_queries = torch.zeros_like(self.turn)
        self.straight = self.exact_turn.diagonal(dim1=1, dim2=2)
        self.upper = self.exact_turn[:, :half, half:].diagonal(dim1=1, dim2=2)
        self.lower = self.exact_turn[:, half:, :half].diagonal(dim1=1, dim2=2)
        self.row = torch.arange(rows, device=device)
        self.positions = torch.zeros(rows, dtype=torch.long, device=device)
        self.tables: dict[int, tuple[Tensor, Tensor]] = {}  # a recorded step reads them in place
        self.cosine = self.sine = torch.zeros(1, head_dim, device=device)
        self.starts: tuple[int, ...] = ()
        self.shared: int | None = None
        self.end = 0
        self.hidden_from: Float[Tensor, "groups 1 cache_len"] | None = None

    def table(self, tokens: int) -> tuple[Tensor, Tensor]:
        """Cosine and sine of at least so many positions."""
        rounded = -(-tokens // TABLE_TOKENS) * TABLE_TOKENS
        if rounded not in self.tables:
            device = self.exact_turn.device
            self.tables[rounded] = rotary_table(
                rounded, self.head_dim, self.theta, torch.float32, device, self.scaling
            )
        return self.tables[rounded]

    def set_turn(self, cosine: Tensor, sine: Tensor) -> None:
        """Write the matrices that turn a head."""
        self.cosine, self.sine = cosine, sine
        self.straight.copy_(cosine)
        self.upper.copy_(sine[..., self.half :])
        self.lower.copy_(sine[..., : self.half])
        if self.turn is not self.exact_turn:
            self.turn.copy_(self.exact_turn)
        torch.mul(self.exact_turn, self.head_dim**-0.5, out=self.turn_queries)

    def set_shared(self, position: int) -> None:
        """Every row is at this position."""
        self.shared, self.end, self.hidden_from = position, position + 1, None
        cosine, sine = self.table(self.end)
        self.set_turn(cosine[position], sine[position])

    def set_each(self, cache_len: int) -> None:
        """Each row is at its own of ``positions``, all below ``cache_len``; no value is read."""
        self.shared, self.end = None, cache_len
        cosine, sine = self.table(cache_len)
        self.set_turn(cosine[self.positions], sine[self.positions])
        later = torch.arange(cache_len, device=self.row.device) > self.positions.unsqueeze(1)
        shown = torch.zeros(later.shape, dtype=self.turn.dtype, device=later.device)
        shown = shown.masked_fill_(later, -torch.inf).unsqueeze(1)
        self.hidden_from = shown.expand(-1, self.kv_heads, -1).reshape(-1, 1, cache_len)

    def as_pass(self, dtype: torch.dtype) -> Positions:
        """The same for a module, which reads the step as a pass of one token."""
        shape = (-1, 1, 1, self.head_dim)
        cosine, sine = (table.to(dtype).view(shape) for table in (self.cosine, self.sine))
        return Positions(1, self.starts, None, cosine, sine, self.row.device)

    def store(
        self,
        heads: Float[Tensor, "rows kv_heads head_dim"],
        memory: Float[Tensor, "rows kv_heads capacity head_dim"],
    ) -> None:
        """Write one key or value per row and head where it belongs."""
        if self.shared is not None:
            memory.select(2, self.shared).copy_(heads)
        else:
            memory[self.row, :, self.positions] = heads.to(memory.dtype)


def as_positions(positions: list[int], device: torch.device) -> Int[Tensor, " rows"]:
    """Positions as a tensor."""
    return torch.tensor(positions, dtype=torch.long, device=device)
