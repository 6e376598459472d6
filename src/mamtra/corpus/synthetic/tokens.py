"""Speech tokens of a corpus in one file: 50 hours are 4.5 million numbers, less than ten megabytes.

The file is a safetensors file with ``ids`` (all tokens, one utterance after the other) and
``offsets`` (where each begins); the utterances' names stand in its metadata.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

from mamtra.atomic import write_file
from mamtra.errors import CorpusError


@runtime_checkable
class TokenSource(Protocol):
    """Where speech tokens come from: a ``TokenTable``."""

    def of(self, utterance_id: str) -> np.ndarray:
        """The tokens of one utterance."""
        ...

    def __contains__(self, utterance_id: str) -> bool:
        """Whether the tokens of an utterance are there."""
        ...


class TokenTable:
    """Speech tokens by utterance."""

    def __init__(self, names: list[str], ids: np.ndarray, offsets: np.ndarray) -> None:
        self.number = {name: number for number, name in enumerate(names)}
        self.ids = ids
        self.offsets = offsets

    def of(self, utterance_id: str) -> np.ndarray:
        """The tokens of one utterance, int64.

        Raises:
            CorpusError: the table does not hold that utterance.
        """
        if utterance_id not in self.number:
            raise CorpusError(f"no speech tokens for utterance {utterance_id!r}; extract them anew")
        number = self.number[utterance_id]
        return self.ids[self.offsets[number] : self.offsets[number + 1]].astype(np.int64)

    def __contains__(self, utterance_id: str) -> bool:
        return utterance_id in self.number

    @classmethod
    def open(cls, path: Path | str) -> "TokenTable":
        """Read a table.

        Raises:
            CorpusError: there is no such file.
        """
        if not Path(path).is_file():
            raise CorpusError(
                f"no speech tokens at {str(path)!r}; make them with: mamtra nano tokens"
            )
        with safe_open(path, "numpy") as file:
            names = json.loads(file.metadata()["names"])
            return cls(names, file.get_tensor("ids"), file.get_tensor("offsets"))


def write_tokens(path: Path, tokens: Iterable[tuple[str, np.ndarray]]) -> None:
    """Write a table beside its place and rename it."""
    names, arrays = [], []
    for name, ids in tokens:
        names.append(name)
        arrays.append(ids.astype(np.uint16))
    offsets = np.cumsum([0, *map(len, arrays)]).astype(np.int64)
    notes = {"names": json.dumps(names)}
    write_file(path, save({"ids": np.concatenate(arrays), "offsets": offsets}, notes), CorpusError)
