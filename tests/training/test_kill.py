"""A run that is really killed, at any moment or while it writes a checkpoint, goes on to the same
bits as one that was left in peace."""

import json
import multiprocessing
import random
import signal
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest
import torch
from runs_to_stop import STEPS, run, run_on_a_disk_that_fills, run_until_killed
from safetensors.torch import load_file

from mamtra.atomic import leftovers
from mamtra.training.checkpoint import last_checkpoint


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    """Processes that start quickly, because torch is imported once for all of them."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "torch._dynamo", "runs_to_stop"])
    return context


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """The same run in peace."""
    folder = tmp_path_factory.mktemp("whole")
    run(folder)
    return folder


def rows(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "log.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]


def killed(processes, *given: object) -> None:
    """Start a run in a process and see it killed."""
    process = processes.Process(target=run_until_killed, args=given)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL


def test_a_run_killed_at_random_moments_goes_on_to_the_same_bits(
    tmp_path, whole, processes
) -> None:
    draw = random.Random(0)
    for _ in range(4):
        killed(processes, tmp_path, draw.choice(("batch", "line")), draw.randrange(1, 7))
    run(tmp_path)
    assert rows(tmp_path) == rows(whole)
    assert [row["step"] for row in rows(tmp_path)] == list(range(1, STEPS + 1))
    weights = load_file(whole / "model.safetensors")
    for name, value in load_file(tmp_path / "model.safetensors").items():
        assert torch.equal(value, weights[name])


@pytest.mark.parametrize("moment", ["flush", "aside", "rename"])
def test_a_run_killed_while_it_writes_a_checkpoint_has_the_one_before(
    tmp_path, whole, processes, moment
) -> None:
    killed(processes, tmp_path, moment, 8)
    assert leftovers(tmp_path), "the checkpoint was being written"
    found = last_checkpoint(tmp_path)
    assert found is not None
    assert found[1]["step"] >= 3
    run(tmp_path)
    assert rows(tmp_path) == rows(whole)
    assert not leftovers(tmp_path)


@pytest.mark.parametrize("full_after", [0, 7])
def test_a_full_disk_stops_the_run_with_the_last_checkpoint_intact(
    tmp_path, whole, processes, full_after
) -> None:
    process = processes.Process(target=run_on_a_disk_that_fills, args=(tmp_path, full_after))
    process.start()
    process.join()
    said = (tmp_path / "said.txt").read_text()
    assert said.startswith("TrainingError: cannot write"), said
    assert "File too large" in said
    assert said.endswith("make room and start again")
    assert not leftovers(tmp_path)
    if full_after:
        assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == full_after
    run(tmp_path)
    assert rows(tmp_path) == rows(whole)
