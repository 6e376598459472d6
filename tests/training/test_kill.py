"""A run that is really killed, at any moment or while it writes a checkpoint, goes on to the same
bits as one that was left in peace."""

import json
import multiprocessing
import random
import time
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest
import torch
from runs_to_stop import STEPS, run, run_on_a_disk_that_fills
from safetensors.torch import load_file

from mamtra.atomic import leftovers

LIMIT_SECONDS = 60


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


def steps_logged(folder: Path) -> int:
    log = folder / "log.jsonl"
    return log.read_bytes().count(b"\n") if log.exists() else 0


def wait_for(condition, process) -> bool:
    """Until it holds, or the process has ended."""
    limit = time.monotonic() + LIMIT_SECONDS
    while process.is_alive() and time.monotonic() < limit:
        if condition():
            return True
        time.sleep(0.0005)
    return condition()


def kill(process) -> None:
    process.kill()
    process.join()


def test_a_run_killed_at_random_moments_goes_on_to_the_same_bits(
    tmp_path, whole, processes
) -> None:
    moments = random.Random(0)
    kills = 0
    for wanted in (1, 8, 16, 24):
        process = processes.Process(target=run, args=(tmp_path, 1000, 0.002))
        process.start()
        assert wait_for(lambda wanted=wanted: steps_logged(tmp_path) >= wanted, process)
        time.sleep(moments.random() * 0.02)
        kills += process.is_alive()
        kill(process)
    assert kills == 4
    run(tmp_path)
    assert rows(tmp_path) == rows(whole)
    assert [row["step"] for row in rows(tmp_path)] == list(range(1, STEPS + 1))
    weights = load_file(whole / "model.safetensors")
    for name, value in load_file(tmp_path / "model.safetensors").items():
        assert torch.equal(value, weights[name])


def test_a_run_killed_while_it_writes_a_checkpoint_has_the_one_before(
    tmp_path, whole, processes
) -> None:
    large, caught = 4_000_000, 0
    kept = tmp_path / "checkpoint.pt"
    for attempt in range(12):
        process = processes.Process(target=run, args=(tmp_path, large))
        process.start()
        assert wait_for(lambda: kept.exists() and leftovers(tmp_path), process)
        kill(process)
        before = torch.load(kept, weights_only=True)
        assert before["step"] >= 1
        caught += bool(leftovers(tmp_path))
        if caught and attempt:
            break
    assert caught, "no kill came during a write"
    run(tmp_path, large)
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
