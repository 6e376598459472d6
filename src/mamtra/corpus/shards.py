"""Prepared speech on disk: what a speech language model is trained on, heard once and kept.

A folder holds parts. ``part-00000.safetensors`` has ``tokens`` (all speech tokens of the part, one
utterance after the other, int16 or int32), ``offsets`` (where each begins, int64) and ``speakers``
(one vector an utterance, float16); ``part-00000.jsonl`` has a line an utterance: id, text, speaker,
split, seconds. ``part-00000.json`` is the part's receipt: counts, checksums, and what was skipped
and why. It is written last, so a part is there when its receipt is. ``index.json`` lists all
receipts and is written when no part is missing.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from safetensors import SafetensorError
from safetensors.numpy import load_file, save
from torch import Tensor

from mamtra.atomic import write_file
from mamtra.errors import CorpusError
from mamtra.files import file_sha256

INDEX, FORMAT, VERSION = "index.json", "mamtra-shards", 1
FIELDS = ("id", "text", "speaker", "split", "seconds")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prepared:
    """One prepared utterance.

    Attributes:
        tokens: speech tokens, int64.
        vector: the speaker's vector as heard in this utterance, float32.
    """

    id: str
    text: str
    speaker: str
    split: str
    seconds: float
    tokens: Int[Tensor, " tokens"]
    vector: Float[Tensor, " width"]


def put(path: Path, content: bytes) -> str:
    """Write a file beside its place, rename it, and give its SHA-256; the folder is made.

    Raises:
        CorpusError: it cannot be written; what was there before is as it was.
    """
    write_file(path, content, CorpusError)
    return hashlib.sha256(content).hexdigest()


def unchanged(folder: Path, receipt: dict[str, Any]) -> bool:
    """Whether the files of a part are as its receipt says."""
    return all(
        file_sha256(folder / f"{receipt['name']}.{suffix}") == digest
        for suffix, digest in receipt["sha256"].items()
    )


class ShardWriter:
    """Collects the utterances of one part and writes them at once.

    Args:
        folder: of all parts; made if it is not there.
        name: of this part, such as ``part-00000``.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.items: list[Prepared] = []

    def add(self, item: Prepared) -> None:
        """Keep one utterance."""
        self.items.append(item)

    def close(self, skipped: Sequence[dict[str, str]] = ()) -> dict[str, Any]:
        """Write the part, its receipt last; returns the receipt.

        Args:
            skipped: id, file and reason of what the part was to hold and does not.
        """
        lengths = [len(item.tokens) for item in self.items]
        ids = np.concatenate([np.zeros(0, np.int64), *(item.tokens.numpy() for item in self.items)])
        small = not len(ids) or int(np.abs(ids).max()) < 2**15
        vectors = [item.vector.numpy() for item in self.items] or [np.zeros(0)]
        arrays = {
            "tokens": ids.astype(np.int16 if small else np.int32),
            "offsets": np.cumsum([0, *lengths]).astype(np.int64),
            "speakers": np.stack(vectors)[: len(self.items)].astype(np.float16),
        }
        lines = [json.dumps({name: getattr(item, name) for name in FIELDS}) for item in self.items]
        text = "".join(f"{line}\n" for line in lines).encode()
        receipt = {
            "name": self.name,
            "utterances": len(self.items),
            "tokens": len(ids),
            "seconds": round(sum(item.seconds for item in self.items), 3),
            "sha256": {
                "safetensors": put(self.folder / f"{self.name}.safetensors", save(arrays)),
                "jsonl": put(self.folder / f"{self.name}.jsonl", text),
            },
            "skipped": list(skipped),
        }
        put(self.folder / f"{self.name}.json", json.dumps(receipt, indent=1).encode())
        return receipt


def write_index(folder: Path, receipts: Sequence[dict[str, Any]], teacher: str) -> None:
    """List all parts, and what was skipped in ``skipped.jsonl``; from here on the folder opens."""
    lines = [json.dumps(item) + "\n" for receipt in receipts for item in receipt["skipped"]]
    put(folder / "skipped.jsonl", "".join(lines).encode())
    parts = [{key: value for key, value in r.items() if key != "skipped"} for r in receipts]
    index = {"format": FORMAT, "version": VERSION, "teacher": teacher, "parts": parts}
    put(folder / INDEX, json.dumps(index, indent=1).encode())


def read_index(folder: Path) -> dict[str, Any]:
    """The index of a folder.

    Raises:
        CorpusError: there is none, or it is not one of ours.
    """
    try:
        index = json.loads((folder / INDEX).read_text())
    except FileNotFoundError as missing:
        raise CorpusError(
            f"{str(folder)!r} holds no finished shards; make them, or go on, with: mamtra prepare"
        ) from missing
    except (OSError, ValueError) as broken:
        raise CorpusError(f"cannot read the index of {str(folder)!r}: {broken}") from broken
    known = isinstance(index, dict) and isinstance(index.get("parts"), list)
    if not known or (index.get("format"), index.get("version")) != (FORMAT, VERSION):
        raise CorpusError(f"the index of {str(folder)!r} is not of {FORMAT} version {VERSION}")
    return index


def read_part(folder: Path, name: str) -> tuple[dict[str, np.ndarray], list[dict[str, Any]]]:
    """The arrays and lines of a part.

    Raises:
        CorpusError: a file is missing or damaged, or they do not fit together.
    """
    try:
        arrays = load_file(folder / f"{name}.safetensors")
        text = (folder / f"{name}.jsonl").read_text(encoding="utf-8")
        lines = [json.loads(line) for line in text.split("\n") if line]
        tokens, offsets, speakers = (arrays[key] for key in ("tokens", "offsets", "speakers"))
        whole = all(set(line) == set(FIELDS) for line in lines)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as broken:
        raise CorpusError(f"part {name} of {str(folder)!r} is damaged: {broken}") from broken
    fits = len(offsets) == len(lines) + 1 and len(speakers) == len(lines)
    rising = len(offsets) and offsets[0] == 0 and bool((np.diff(offsets) >= 0).all())
    if not (whole and fits and rising and offsets[-1] == len(tokens)):
        raise CorpusError(f"the files of part {name} of {str(folder)!r} do not fit together")
    return arrays, lines


class Shards:
    """Prepared utterances by number, in memory: 50 million tokens are 100 MB.

    Args:
        folder: what ``mamtra prepare`` wrote.
        split: take only ``train``, ``validation`` or ``test``; all by default.

    Raises:
        CorpusError: there are no finished shards, or they are damaged.
    """

    def __init__(self, folder: Path, split: str | None = None) -> None:
        self.folder, self.teacher = folder, str(read_index(folder).get("teacher", ""))
        parts = [read_part(folder, part["name"]) for part in read_index(folder)["parts"]]
        self.arrays = [arrays for arrays, _ in parts]
        self.rows = [
            (part, row, line)
            for part, (_, lines) in enumerate(parts)
            for row, line in enumerate(lines)
            if split in (None, line["split"])
        ]
        each = [np.diff(arrays["offsets"]) for arrays in self.arrays]
        self.lengths = np.array([each[part][row] for part, row, _ in self.rows], np.int64)

    @classmethod
    def open(cls, folder: Path | str, split: str | None = None) -> "Shards":
        """Open prepared speech."""
        return cls(Path(folder), split)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> Prepared:
        part, row, line = self.rows[number]
        arrays = self.arrays[part]
        start, end = arrays["offsets"][row : row + 2]
        tokens = torch.from_numpy(arrays["tokens"][start:end].astype(np.int64))
        vector = torch.from_numpy(arrays["speakers"][row].astype(np.float32))
        return Prepared(**line, tokens=tokens, vector=vector)
