"""Checkpoints: everything that a run needs to go on, in one file that is whole or not there.

checkpoint.pt      step, seconds, masters, their running mean, frozen weights, optimisers
log.jsonl          cut back to the checkpoint's step when a run goes on
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import nn

from mamtra.checkpoints.weights import write_tensors
from mamtra.errors import TrainingError
from mamtra.training.master_weights import Masters

FILE = "checkpoint.pt"
FINISHED = "model.safetensors"


def write_beside(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file under another name and rename it, so that a kill leaves the old one whole.

    Raises:
        TrainingError: it cannot be written; the old file is as it was.
    """
    beside = path.with_name(path.name + ".part")
    try:
        with beside.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    # PyTorch tells of a full disk by a RuntimeError of its own
    except (OSError, RuntimeError) as problem:
        beside.unlink(missing_ok=True)
        reason = problem.__context__ if isinstance(problem.__context__, OSError) else problem
        raise TrainingError(
            f"cannot write {str(path)!r} ({reason}); what was there before is intact, "
            f"make room and start again"
        ) from problem


def save_checkpoint(
    folder: Path, masters: Masters, model: nn.Module, step: int, seconds: float
) -> None:
    """Write everything that a resumed run needs.

    Raises:
        TrainingError: it cannot be written; the last checkpoint is intact.
    """
    frozen = {
        name: value for name, value in model.state_dict().items() if name not in masters.weights
    }
    content: dict[str, Any] = {
        "step": step,
        "seconds": seconds,
        "masters": masters.weights,
        "frozen": frozen,
        "optimizers": [optimizer.state_dict() for optimizer in masters.optimizers],
    }
    if masters.mean:
        content["mean"] = masters.mean
    write_beside(folder / FILE, lambda file: torch.save(content, file))


def load_checkpoint(folder: Path, masters: Masters, model: nn.Module) -> tuple[int, float]:
    """Restore a run's state; returns the finished steps and the seconds spent on them.

    Raises:
        TrainingError: the checkpoint is another model's.
    """
    path = folder / FILE
    if not path.exists():
        return 0, 0.0
    content = torch.load(path, weights_only=True, map_location="cpu")
    if content["masters"].keys() != masters.weights.keys():
        raise TrainingError(f"{str(path)!r} belongs to another model; choose another folder")
    mean = content.get("mean", content["masters"]) if masters.mean else {}
    for kept, saved in ((masters.weights, content["masters"]), (masters.mean, mean)):
        for name, value in saved.items():
            kept[name].copy_(value)
    model.load_state_dict(content["frozen"], strict=False)
    for optimizer, state in zip(masters.optimizers, content["optimizers"], strict=True):
        optimizer.load_state_dict(state)
    masters.publish()
    return content["step"], content["seconds"]


def save_finished(folder: Path, masters: Masters, model: nn.Module) -> None:
    """Write ``model.safetensors``: the weights to be used, in float32.

    Raises:
        CheckpointError: a weight is not finite.
    """
    weights = {**model.state_dict(), **masters.finished}
    write_tensors(weights, folder / FINISHED, dtype=torch.float32)


def cut_log(path: Path, step: int) -> None:
    """Take out of a log what is behind a step, or was cut short by a kill."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text().splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if row["step"] <= step:
            kept.append(line + "\n")
    write_beside(path, lambda file: file.write("".join(kept).encode()))
