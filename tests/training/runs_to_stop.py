"""Runs that the tests start in processes of their own, to kill them or to fill their disk."""

import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mamtra import atomic
from mamtra.training.log import Log
from mamtra.training.loop import LoopSettings, train

STEPS = 40
SETTINGS = LoopSettings(
    steps=STEPS, warmup_steps=2, log_every=1, checkpoint_seconds=-1.0, ema=0.9, accumulate=2
)
# where a process can be killed: before a batch, a line of the log, or one of the three moments of
# writing a checkpoint (before it reaches the disk, before the old one steps aside, before the new
# one takes its name)
MOMENTS = ("batch", "line", "flush", "aside", "rename")


class Toy(nn.Module):
    """A small network beside frozen weights that make its checkpoint large."""

    def __init__(self, frozen: int) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.net = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.1), nn.Linear(8, 1))
        self.frozen = nn.Parameter(torch.zeros(frozen), requires_grad=False)

    def loss(self, number: int) -> dict[str, Tensor]:
        """A new batch for each number."""
        batch = torch.randn(16, 4, generator=torch.Generator().manual_seed(number))
        return {"loss": (self.net(batch) - batch.sum(1, True)).square().mean()}


def run(folder: Path, frozen: int = 1000, full_after: int | None = None) -> None:
    """A run that writes a checkpoint after every step.

    Args:
        folder: where it lives.
        frozen: weights that only make its checkpoint large.
        full_after: steps after which no file may become as large as a checkpoint.
    """
    torch.set_num_threads(1)
    model = Toy(frozen)

    def loss(number: int) -> dict[str, Tensor]:
        if full_after is not None and number >= SETTINGS.accumulate * full_after:
            resource.setrlimit(resource.RLIMIT_FSIZE, (4000, resource.RLIM_INFINITY))
        return model.loss(number)

    train(folder, model, loss, SETTINGS)


def deadly(function: Callable[..., Any], calls: int) -> Callable[..., Any]:
    """The function, but the process is killed before so many calls of it."""
    left = [calls]

    def counted(*given: Any, **named: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*given, **named)

    return counted


def run_until_killed(folder: Path, moment: str, calls: int) -> None:
    """A run that is killed at a moment, when that comes for the so-manieth time."""
    owner, name = {
        "batch": (Toy, "loss"),
        "line": (Log, "write"),
        "flush": (atomic.os, "fsync"),
        "aside": (Path, "replace"),
        "rename": (atomic.os, "replace"),
    }[moment]
    setattr(owner, name, deadly(getattr(owner, name), calls))
    run(folder)


def run_on_a_disk_that_fills(folder: Path, after: int) -> None:
    """The same on a disk that fills up; leaves what was said about it."""
    try:
        run(folder, full_after=after)
    except Exception as problem:
        (folder / "said.txt").write_text(f"{type(problem).__name__}: {problem}")
