"""Checkpoints: everything that a run needs to go on, in one file that is whole or not there.

    checkpoint.pt            step, seconds, float32 master weights, their running mean, frozen
                             weights, optimisers
    checkpoint.previous.pt   the one before, until the run is finished
    log.jsonl                cut back to the checkpoint's step when a run goes on

A checkpoint is a zip file, whose entries carry CRC-32 checksums. They are verified before anything
is used: a damaged checkpoint is named, and the one before it is used if there is one.
"""

import json
import logging
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mamtra.atomic import leftovers, write_file, written_beside
from mamtra.checkpoints.weights import write_tensors
from mamtra.errors import TrainingError
from mamtra.training.master_weights import MasterWeights

FILE = "checkpoint.pt"
PREVIOUS = "checkpoint.previous.pt"
FINISHED = "model.safetensors"

logger = logging.getLogger(__name__)


def save_checkpoint(
    folder: Path, master_weights: MasterWeights, model: nn.Module, step: int, seconds: float
) -> None:
    """Write everything that a resumed run needs; the checkpoint before stays beside it.

    Raises:
        TrainingError: it cannot be written; the last checkpoint is intact.
    """
    frozen = {
        name: value
        for name, value in model.state_dict().items()
        if name not in master_weights.weights
    }
    content: dict[str, Any] = {
        "step": step,
        "seconds": seconds,
        "masters": master_weights.weights,
        "frozen": frozen,
        "optimizers": [optimizer.state_dict() for optimizer in master_weights.optimizers],
    }
    if master_weights.mean:
        content["mean"] = master_weights.mean
    path = folder / FILE
    try:
        with written_beside(path, TrainingError) as beside:
            with beside.open("wb") as file:  # tells more of a full disk than PyTorch's own writer
                torch.save(content, file)
            if path.exists():
                path.replace(folder / PREVIOUS)
    # PyTorch tells of a full disk by a RuntimeError of its own
    except (TrainingError, RuntimeError) as problem:
        cause = problem.__cause__ or problem
        reason = cause.__context__ if isinstance(cause.__context__, OSError) else cause
        raise TrainingError(
            f"cannot write {str(path)!r} ({reason}); the last checkpoint is intact, "
            f"make room and start again"
        ) from problem


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What a checkpoint holds, once its checksums are verified.

    Raises:
        TrainingError: it is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is None:
            return torch.load(path, weights_only=True, map_location="cpu")
        reason = f"the checksum of {damaged} is wrong"
    # whatever bytes may make zipfile and torch raise
    except Exception as problem:
        if isinstance(problem, MemoryError):
            raise
        reason = f"{type(problem).__name__}: {problem}".splitlines()[0]
    raise TrainingError(f"the checkpoint {str(path)!r} is damaged ({reason})")


def last_checkpoint(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """The newest checkpoint of a run that is whole; None where there is none at all.

    Raises:
        TrainingError: all that there are are damaged.
    """
    damage: TrainingError | None = None
    for path in (folder / FILE, folder / PREVIOUS):
        if not path.exists():
            continue
        try:
            content = read_checkpoint(path)
        except TrainingError as problem:
            damage = damage or problem
            continue
        if damage is not None:
            logger.warning("%s; the run goes on from the one before, %s", damage, path.name)
        return path, content
    if damage is not None:
        raise TrainingError(
            f"{damage} and there is no whole one before it; delete it to train from the beginning"
        )
    return None


def load_checkpoint(
    folder: Path, master_weights: MasterWeights, model: nn.Module
) -> tuple[int, float]:
    """Restore a run's state; returns the finished steps and the seconds spent on them.

    Raises:
        TrainingError: the checkpoint is damaged, or another model's.
    """
    found = last_checkpoint(folder)
    if found is None:
        return 0, 0.0
    path, content = found
    other = TrainingError(f"{str(path)!r} belongs to another model; choose another folder")
    try:
        if content["masters"].keys() != master_weights.weights.keys():
            raise other
        mean = content.get("mean", content["masters"]) if master_weights.mean else {}
        for kept, saved in (
            (master_weights.weights, content["masters"]),
            (master_weights.mean, mean),
        ):
            for name, value in saved.items():
                kept[name].copy_(value)
        model.load_state_dict(content["frozen"], strict=False)
        for optimizer, state in zip(master_weights.optimizers, content["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        step, seconds = int(content["step"]), float(content["seconds"])
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as problem:
        raise other from problem
    master_weights.publish()
    return step, seconds


def save_finished(folder: Path, master_weights: MasterWeights, model: nn.Module) -> None:
    """Write ``model.safetensors``: the weights to be used, in float32; drop the older checkpoint.

    Raises:
        CheckpointError: a weight is not finite.
    """
    weights = {**model.state_dict(), **master_weights.finished}
    write_tensors(weights, folder / FINISHED, dtype=torch.float32)
    (folder / PREVIOUS).unlink(missing_ok=True)


def clean_folder(folder: Path, log: str, step: int) -> None:
    """Remove what killed processes left, and cut the log back to the checkpoint's step."""
    for left in leftovers(folder):
        left.unlink(missing_ok=True)
    path = folder / log
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
        except (ValueError, KeyError, TypeError):  # cut short by a kill, or damaged
            continue
    write_file(path, "".join(kept), TrainingError)
