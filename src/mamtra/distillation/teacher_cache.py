"""The teacher's logits, kept on disk: the most probable ids at each predicted token.

A teacher's logits for an utterance in one layout never change, so from the second epoch on its
pass, a quarter of all work, can be read instead. The ``top`` most probable ids are kept, and what
is left of the probability is spread evenly over the other ids. New logits go the same way as kept
ones, so a resumed run sees the same numbers.

    cache.json      what the files were made for
    ids.bin         uint16, predicted tokens of all utterances times top: uni-stream, then bi-stream
    logs.bin        float16, their log-probabilities
    kept.bin        uint8, utterances times 2: whether the logits are kept

Files grow only as far as logits are kept, on file systems that know holes. Processes on one
machine may share them. They are read as memory and written as files, since a full disk is an error
to who writes a file, and the end of a process that writes into memory without a disk behind it.

Axes: n predicted tokens, k kept ids, v vocabulary.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mamtra.atomic import write_json
from mamtra.distillation.data import DistillBatches
from mamtra.errors import ConfigError, TrainingError
from mamtra.files import read_json

ABOUT = "cache.json"
LAYOUTS = 2  # uni-stream and bi-stream
MAX_IDS = 2**16  # that uint16 can name


def narrowed(
    logits: Float[Tensor, "predicted ids"], top: int
) -> tuple[Float[Tensor, "predicted top"], Tensor]:
    """Log-probabilities and ids of the most probable ids."""
    logs, ids = logits.float().log_softmax(-1).topk(top, dim=-1)
    return logs.half(), ids


def widened(
    logs: Float[Tensor, "predicted top"], ids: Tensor, vocabulary: int
) -> Float[Tensor, "predicted ids"]:
    """Log-probabilities of all ids; those that were not kept share the rest evenly."""
    logs = logs.float()
    rest = (1 - logs.exp().sum(-1, keepdim=True)).clamp_min(1e-6)
    each = rest.log() - math.log(max(1, vocabulary - logs.shape[-1]))
    return each.repeat(1, vocabulary).scatter(-1, ids, logs)


class TeacherCache:
    """Logits of one teacher for one set of utterances.

    Args:
        folder: where they are kept; made if it is not there.
        batches: what the teacher reads.
        top: how many ids are kept.
        about: names teacher and data; must be what the folder was made for.
        former: what some of these were called before; a folder that has these names gets the new.

    Raises:
        ConfigError: the folder was made for something else, or ``top`` cannot be.
        TrainingError: the folder cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        batches: DistillBatches,
        top: int,
        about: dict[str, Any],
        former: Mapping[str, Any] | None = None,
    ) -> None:
        self.batches, self.vocabulary, self.top = batches, batches.ids, top
        if not 1 <= top < self.vocabulary <= MAX_IDS:
            raise ConfigError(
                f"teacher_cache={top} of {self.vocabulary} ids cannot be kept; give at least 1 and "
                f"fewer than all"
            )
        counts = batches.predicted()
        self.utterances = len(counts)
        lengths = np.asarray(counts, np.int64).T.reshape(-1)
        self.ends = np.cumsum(np.concatenate([np.zeros(1, np.int64), lengths]))
        rows = int(self.ends[-1])
        self.check(folder / ABOUT, {**about, "top": top, "predicted": rows}, former or {})
        try:
            self.ids = RowFile(folder / "ids.bin", np.uint16, (rows, top))
            self.logs = RowFile(folder / "logs.bin", np.float16, (rows, top))
            self.kept = RowFile(folder / "kept.bin", np.uint8, (LAYOUTS * self.utterances,))
            self.kept.fill()
        except OSError as problem:
            raise TrainingError(
                f"cannot keep the teacher's logits in {str(folder)!r}: {problem.strerror}"
            ) from problem

    @staticmethod
    def check(path: Path, about: dict[str, Any], former: Mapping[str, Any]) -> None:
        """Compare what the folder is for with what it was made for, and write it."""
        before = read_json(path) if path.exists() else about
        known = before if isinstance(before, dict) else {}
        names = {**about, **{name: old for name, old in former.items() if old == known.get(name)}}
        if changed := sorted(name for name in names if names[name] != known.get(name)):
            raise ConfigError(
                f"{str(path.parent)!r} keeps logits of another {', '.join(changed)}; delete it, or "
                f"choose another folder"
            )
        if not path.exists() or known != about:
            write_json(path, about, indent=1, error=TrainingError)

    def rows(self, number: int) -> list[int]:
        """Where the utterances of a batch stand, each in its layout."""
        layouts = self.batches.layouts(number)
        return [self.utterances * int(bi_stream) + item for item, bi_stream in layouts]

    def logits(
        self, number: int, compute: Callable[[], Float[Tensor, "predicted ids"]]
    ) -> Float[Tensor, "predicted ids"]:
        """Log-probabilities for a batch, row by row; computed only where they are not kept.

        Raises:
            OSError: they cannot be written, as on a full disk.
        """
        rows = self.rows(number)
        if not all(self.kept.array[row] for row in rows):
            self.keep(rows, compute())
        spans = [slice(self.ends[row], self.ends[row + 1]) for row in rows]
        logs = torch.from_numpy(np.concatenate([self.logs.array[span] for span in spans]))
        ids = np.concatenate([self.ids.array[span] for span in spans]).astype(np.int64)
        return widened(logs, torch.from_numpy(ids), self.vocabulary)

    def keep(self, rows: Sequence[int], logits: Float[Tensor, "predicted ids"]) -> None:
        """Keep the logits for the utterances of a batch, row by row.

        Those that are there stay: another batch's padding would round them otherwise, and a run
        that goes on would not see what it saw before.
        """
        top_logs, top_ids = narrowed(logits, self.top)
        logs, ids = top_logs.cpu().numpy(), top_ids.cpu().numpy().astype(np.uint16)
        offset = 0
        for row in rows:
            start, end = int(self.ends[row]), int(self.ends[row + 1])
            if not self.kept.array[row]:
                self.ids.write(start, ids[offset : offset + end - start])
                self.logs.write(start, logs[offset : offset + end - start])
                # last: a kill before leaves the logits to be computed again
                self.kept.write(row, np.ones(1, np.uint8))
            offset += end - start


class RowFile:
    """A file of rows that is read as an array; a new one is full of zeros.

    Raises:
        OSError: from each method: it cannot be written.
    """

    def __init__(self, path: Path, kind: Any, shape: tuple[int, ...]) -> None:
        self.path, self.row_bytes = path, math.prod(shape[1:]) * np.dtype(kind).itemsize
        with path.open("ab") as file:
            self.is_new = not file.tell()
            file.truncate(shape[0] * self.row_bytes)
        self.array = np.memmap(path, kind, "r", shape=shape)

    def write(self, row: int, values: np.ndarray) -> None:
        """Write rows from one on."""
        content = memoryview(values.tobytes())
        with self.path.open("r+b", buffering=0) as file:
            file.seek(row * self.row_bytes)
            while content:
                content = content[file.write(content) :]

    def fill(self) -> None:
        """Write the zeros of a new file, so that all of it has its place on the disk."""
        if self.is_new:
            self.write(0, np.zeros(self.array.shape, self.array.dtype))
