"""Phones as classes, and how many of them a recogniser got wrong."""

import numpy as np
from torch import Tensor

from mamtra.corpus.synthetic.manifest import Utterance
from mamtra.corpus.synthetic.spoken import PHONES

PHONE_ID = {phone: number + 1 for number, phone in enumerate(PHONES)}  # 0 is CTC's blank


def phone_ids(utterance: Utterance) -> list[int]:
    """The phones of an utterance as CTC classes."""
    return [PHONE_ID[phone] for phone in utterance.phones.split()]


def edit_distance(given: list[int], wanted: list[int]) -> int:
    """Insertions, deletions and substitutions between two lists."""
    row = np.arange(len(given) + 1)
    for number, item in enumerate(wanted):
        previous, row = row, np.empty_like(row)
        row[0] = number + 1
        same = previous[:-1] + (np.asarray(given) != item) if given else previous[:0]
        row[1:] = np.minimum(same, previous[1:] + 1)
        for column in range(1, len(row)):
            row[column] = min(row[column], row[column - 1] + 1)
    return int(row[-1])


def greedy_phones(best: list[int]) -> list[int]:
    """CTC's best path: repeats merged, blanks dropped."""
    merged = [item for item, before in zip(best, [0, *best[:-1]], strict=True) if item != before]
    return [item for item in merged if item]


def phone_errors(best: Tensor, frames: Tensor, utterances: list[Utterance]) -> tuple[int, int]:
    """Edits between the phones heard and those spoken, and the number of those spoken.

    Args:
        best: the best class of every frame, a row for each utterance.
        frames: of each row.
    """
    errors = wanted = 0
    for row, utterance in enumerate(utterances):
        target = phone_ids(utterance)
        errors += edit_distance(greedy_phones(best[row, : int(frames[row])].tolist()), target)
        wanted += len(target)
    return errors, wanted
