"""Several sequences side by side, padded on the right, ready to be embedded.

Text, speech and special ids come from different tables. Instead of masking three full lookups, a
batch keeps the ids of each table in one flat run, and ``order`` says which of the looked-up rows
stands at each position. Padding is row 0, a row of zeros. Causal layers never let a real position
see what lies to its right, so padding needs no mask in training.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from mamtra.errors import ConfigError
from mamtra.speech_lm.prompt import IGNORED, Segment, TrainingSequence
from mamtra.speech_lm.vocabulary import SPECIAL_ROWS

PADDING_ROW = 0
FIRST_SPECIAL_ROW = 1
FIRST_TEXT_ROW = FIRST_SPECIAL_ROW + SPECIAL_ROWS


@dataclass(frozen=True, slots=True)
class Batch:
    """Sequences in the form the model embeds.

    Attributes:
        order: for each position the row among padding, special rows, text rows and speech rows, in
            this order.
        lengths: real positions of each row, on the CPU.
        positions: flat positions (row * time + position) at which an id is predicted.
        targets: the id that each of these should predict.
    """

    text_ids: Int[Tensor, " texts"]
    speech_ids: Int[Tensor, " speeches"]
    order: Int[Tensor, "batch time"]
    lengths: Int[Tensor, " batch"]
    positions: Int[Tensor, " predicted"]
    targets: Int[Tensor, " predicted"]

    @property
    def real(self) -> Bool[Tensor, "batch time"]:
        """Which positions hold a token."""
        return self.order != PADDING_ROW

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on another device; the lengths stay, because Python reads them."""
        moved = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return Batch(
            **{
                name: tensor if name == "lengths" else tensor.to(device, non_blocking=True)
                for name, tensor in moved.items()
            }
        )


def pack_segments(
    rows: Sequence[Sequence[Segment]], targets: Sequence[Sequence[int]] | None = None
) -> Batch:
    """Lay rows of segments side by side.

    Raises:
        ConfigError: there are no rows, or targets do not have one entry per position.
    """
    if not rows:
        raise ConfigError("an empty batch cannot be packed; give at least one sequence")
    ids: dict[str, list[int]] = {"text": [], "speech": []}
    positions_by_kind: dict[str, list[int]] = {"special": [], "text": [], "speech": []}
    special: list[int] = []
    lengths = [sum(len(segment.ids) for segment in row) for row in rows]
    time = max(lengths)
    for index, row in enumerate(rows):
        start = index * time
        for segment in row:
            ids.get(segment.kind, special).extend(segment.ids)
            positions_by_kind[segment.kind].extend(range(start, start + len(segment.ids)))
            start += len(segment.ids)
    order = torch.full((len(rows) * time,), PADDING_ROW)
    first_speech_row = FIRST_TEXT_ROW + len(ids["text"])
    order[torch.tensor(positions_by_kind["special"], dtype=torch.long)] = (
        torch.tensor(special, dtype=torch.long) + FIRST_SPECIAL_ROW
    )
    for kind, first in (("text", FIRST_TEXT_ROW), ("speech", first_speech_row)):
        order[torch.tensor(positions_by_kind[kind], dtype=torch.long)] = torch.arange(
            first, first + len(ids[kind])
        )
    none: list[list[int]] = [[] for _ in rows]
    positions, expected = flat_targets(lengths, targets or none)
    return Batch(
        text_ids=torch.tensor(ids["text"], dtype=torch.long),
        speech_ids=torch.tensor(ids["speech"], dtype=torch.long),
        order=order.view(len(rows), time),
        lengths=torch.tensor(lengths),
        positions=positions,
        targets=expected,
    )


def flat_targets(
    lengths: Sequence[int], targets: Sequence[Sequence[int]]
) -> tuple[Int[Tensor, " predicted"], Int[Tensor, " predicted"]]:
    """Flat positions of the learned targets, and the targets themselves.

    Raises:
        ConfigError: a row's targets do not have one entry per position.
    """
    time = max(lengths)
    padded = torch.full((len(lengths), time), IGNORED)
    for index, (length, row) in enumerate(zip(lengths, targets, strict=True)):
        if row and len(row) != length:
            raise ConfigError(
                f"row {index} has {length} positions and {len(row)} targets; give one each"
            )
        padded[index, : len(row)] = torch.tensor(row, dtype=torch.long)
    padded = padded.flatten()
    positions = (padded != IGNORED).nonzero().flatten()
    return positions, padded[positions]


def pack(sequences: Sequence[TrainingSequence]) -> Batch:
    """Lay training sequences side by side."""
    return pack_segments(
        [sequence.segments for sequence in sequences],
        [sequence.targets for sequence in sequences],
    )
