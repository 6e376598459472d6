"""Two processes that average their gradients train like one that sees both batches."""

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from mamtra.training.loop import LoopSettings, train
from mamtra.training.workers import launch

SETTINGS = LoopSettings(steps=5, warmup_steps=0, gradient_clip=1e9)


def halves(number: int) -> torch.Tensor:
    return torch.randn(8, 3, generator=torch.Generator().manual_seed(number))


def run(folder: Path, joined: bool) -> None:
    torch.manual_seed(0)
    model = nn.Linear(3, 1)

    def loss(number: int) -> dict[str, torch.Tensor]:
        batch = (
            torch.cat([halves(2 * number), halves(2 * number + 1)]) if joined else halves(number)
        )
        return {"loss": model(batch).square().mean()}

    train(folder, model, loss, SETTINGS)


def test_two_workers_equal_one_process_on_the_same_batches(tmp_path) -> None:
    launch(1, run, tmp_path / "one", True)
    launch(2, run, tmp_path / "two", False)
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    for name, value in one.items():
        torch.testing.assert_close(two[name], value)
