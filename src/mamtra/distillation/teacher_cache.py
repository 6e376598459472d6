"""The teacher's answers, kept on disk: the most probable ids at each predicted place.

A teacher answers the same each time it reads the same utterance in the same layout, so from the
second epoch on its work, a quarter of all, can be read instead. Of each answer the ``top`` most
probable ids are kept, and what is left of its probability is spread evenly over the other ids. A
new answer goes the same way as a kept one, so a resumed run sees the same numbers.

    answers.json    what the files were made for
    ids.bin         uint16, places of all utterances times top: uni-stream first, then bi-stream
    logs.bin        float16, their log-probabilities
    there.bin       uint8, utterances times 2: whether the answer is kept

Files grow only as far as answers are kept, on file systems that know holes. Processes on one
machine may share them.

Axes: n predicted places, k kept ids, v vocabulary.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mamtra.errors import ConfigError

ABOUT = "answers.json"
LAYOUTS = 2  # uni-stream and bi-stream


def narrowed(
    logits: Float[Tensor, "places ids"], top: int
) -> tuple[Float[Tensor, "places top"], Tensor]:
    """Log-probabilities and ids of the most probable ids."""
    logs, ids = logits.float().log_softmax(-1).topk(top, dim=-1)
    return logs.half(), ids


def widened(
    logs: Float[Tensor, "places top"], ids: Tensor, vocabulary: int
) -> Float[Tensor, "places ids"]:
    """Log-probabilities of all ids; those that were not kept share the rest evenly."""
    logs = logs.float()
    rest = (1 - logs.exp().sum(-1, keepdim=True)).clamp_min(1e-6)
    each = rest.log() - math.log(max(1, vocabulary - logs.shape[-1]))
    return each.repeat(1, vocabulary).scatter(-1, ids, logs)


class Answers:
    """Answers of one teacher to one set of utterances.

    Args:
        folder: where they are kept; made if it is not there.
        places: predicted places of each utterance, for both layouts.
        vocabulary: ids of an answer.
        top: how many ids are kept.
        about: names teacher and data, to be held against what the folder was made for.

    Raises:
        ConfigError: the folder was made for something else, or ``top`` cannot be.
    """

    def __init__(
        self,
        folder: Path,
        places: Sequence[tuple[int, int]],
        vocabulary: int,
        top: int,
        about: dict[str, Any],
    ) -> None:
        if not 1 <= top < vocabulary <= 2**16:
            raise ConfigError(
                f"{top} of {vocabulary} ids cannot be kept; give at least 1 and fewer than all"
            )
        self.vocabulary, self.top = vocabulary, top
        counts = np.asarray(places, np.int64).T.reshape(-1)
        self.ends = np.cumsum(np.concatenate([np.zeros(1, np.int64), counts]))
        self.utterances = len(places)
        folder.mkdir(parents=True, exist_ok=True)
        self.check(folder / ABOUT, {**about, "top": top, "places": int(self.ends[-1])})
        rows = int(self.ends[-1])
        self.ids = opened(folder / "ids.bin", np.uint16, (rows, top))
        self.logs = opened(folder / "logs.bin", np.float16, (rows, top))
        self.there = opened(folder / "there.bin", np.uint8, (LAYOUTS * self.utterances,))

    @staticmethod
    def check(path: Path, about: dict[str, Any]) -> None:
        """Write what the folder is for, or hold it against what it was made for."""
        if not path.exists():
            path.write_text(json.dumps(about, indent=1) + "\n")
            return
        before = json.loads(path.read_text())
        if changed := sorted(name for name in about if about[name] != before.get(name)):
            raise ConfigError(
                f"{str(path.parent)!r} keeps answers of another {', '.join(changed)}; "
                f"choose another folder"
            )

    def number(self, utterance: int, bi_stream: bool) -> int:
        """Where an utterance in a layout stands."""
        return self.utterances * int(bi_stream) + utterance

    def keep(self, numbers: Sequence[int], logits: Float[Tensor, "places ids"]) -> None:
        """Keep the answers to the utterances of a batch, row by row.

        One that is there stays: another batch's padding would round it otherwise, and a run that
        goes on would not see what it saw before.
        """
        logs, ids = narrowed(logits, self.top)
        logs, ids = logs.cpu().numpy(), ids.cpu().numpy().astype(np.uint16)
        place = 0
        for number in numbers:
            start, end = self.ends[number], self.ends[number + 1]
            if not self.there[number]:
                self.ids[start:end] = ids[place : place + end - start]
                self.logs[start:end] = logs[place : place + end - start]
                self.there[number] = 1  # last: a kill before leaves the answer to be made again
            place += end - start

    def missing(self, numbers: Sequence[int]) -> bool:
        """Whether an answer of these is not kept."""
        return not all(self.there[number] for number in numbers)

    def of(self, numbers: Sequence[int]) -> Float[Tensor, "places ids"]:
        """Log-probabilities of all places of a batch, row by row."""
        spans = [slice(self.ends[number], self.ends[number + 1]) for number in numbers]
        logs = torch.from_numpy(np.concatenate([self.logs[span] for span in spans]))
        ids = np.concatenate([self.ids[span] for span in spans]).astype(np.int64)
        return widened(logs, torch.from_numpy(ids), self.vocabulary)


def opened(path: Path, kind: Any, shape: tuple[int, ...]) -> np.ndarray:
    """A file as an array; a new one is full of zeros."""
    with path.open("ab") as file:
        file.truncate(math.prod(shape) * np.dtype(kind).itemsize)
    return np.memmap(path, kind, "r+", shape=shape)
