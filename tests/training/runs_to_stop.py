"""Runs that the tests start in processes of their own, to kill them or to fill their disk."""

import resource
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from mamtra.training.loop import LoopSettings, train

STEPS = 40
SETTINGS = LoopSettings(
    steps=STEPS, warmup_steps=2, log_every=1, checkpoint_seconds=-1.0, ema=0.9, accumulate=2
)


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


def run(
    folder: Path, frozen: int = 1000, pause: float = 0.0, full_after: int | None = None
) -> None:
    """A run that writes a checkpoint after every step.

    Args:
        folder: where it lives.
        frozen: weights that only make its checkpoint large.
        pause: seconds before each batch.
        full_after: steps after which no file may become as large as a checkpoint.
    """
    torch.set_num_threads(1)
    model = Toy(frozen)

    def loss(number: int) -> dict[str, Tensor]:
        time.sleep(pause)
        if full_after is not None and number >= SETTINGS.accumulate * full_after:
            resource.setrlimit(resource.RLIMIT_FSIZE, (4000, resource.RLIM_INFINITY))
        return model.loss(number)

    train(folder, model, loss, SETTINGS)


def run_on_a_disk_that_fills(folder: Path, after: int) -> None:
    """The same on a disk that fills up; leaves what was said about it."""
    try:
        run(folder, full_after=after)
    except Exception as problem:
        (folder / "said.txt").write_text(f"{type(problem).__name__}: {problem}")
