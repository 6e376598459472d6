"""Several processes train like one that sees all their batches, however they were started."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from mamtra.errors import ConfigError, MissingExtraError
from mamtra.training import device as place
from mamtra.training.loop import LoopSettings, train
from mamtra.training.workers import buckets, launch

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


def run_apart(folder: Path, accumulate: int) -> None:
    """Each batch by itself, one after the other or side by side."""
    torch.manual_seed(0)
    model = nn.Linear(3, 1)

    def loss(number: int) -> dict[str, torch.Tensor]:
        return {"loss": model(halves(number)).square().mean()}

    train(folder, model, loss, replace(SETTINGS, accumulate=accumulate))


def run_both(folder: Path) -> None:
    run_apart(folder / "apart", 1)
    run(folder / "halves", joined=False)


def test_two_workers_equal_one_process_on_the_same_batches(tmp_path) -> None:
    launch(2, run_both, tmp_path)
    launch(1, run, tmp_path / "joined", True)
    launch(1, run_apart, tmp_path / "accumulated", 2)
    apart, both, joined, accumulated = (
        load_file(tmp_path / name / "model.safetensors")
        for name in ("apart", "halves", "joined", "accumulated")
    )
    for name, value in joined.items():
        torch.testing.assert_close(both[name], value)
        assert torch.equal(apart[name], accumulated[name])


@pytest.mark.slow
def test_torchrun_with_accelerate_gives_the_same_bits(tmp_path) -> None:
    pytest.importorskip("accelerate")
    program = tmp_path / "program.py"
    program.write_text(
        f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from mamtra.training.device import placed
from test_workers import run_apart
with placed("cpu") as device:
    assert device.type == "cpu"
    run_apart(Path({str(tmp_path / "two")!r}), 1)
"""
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    done = subprocess.run(
        [*command, "--nproc-per-node", "2", str(program)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    launch(1, run_apart, tmp_path / "one", 2)
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_gradients_are_averaged_in_groups_of_limited_size(monkeypatch) -> None:
    monkeypatch.setattr("mamtra.training.workers.BUCKET", 10)
    sizes = [4, 4, 4, 20, 10, 1]
    groups = [[*map(len, group)] for group in buckets([torch.zeros(size) for size in sizes])]
    assert groups == [[4, 4, 4], [20], [10], [1]]


def test_one_cpu_needs_no_accelerate(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with place.placed("cpu") as device:
        assert device == torch.device("cpu")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with (
        pytest.raises(MissingExtraError, match=r"pip install .*\[train\]'"),
        place.placed("cpu"),
    ):
        pass


@pytest.mark.parametrize("name", ["gpu", "mps", "cuda"])
def test_a_device_that_is_not_there_is_refused(name, monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=name):
        place.device_named(name)
