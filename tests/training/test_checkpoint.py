"""Checkpoints: a damaged one is named and never trained on; the one before it is used."""

import logging
import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from mamtra.errors import TrainingError
from mamtra.training.checkpoint import FILE, PREVIOUS, clean_folder, read_checkpoint
from mamtra.training.loop import LoopSettings, train

SETTINGS = LoopSettings(steps=6, warmup_steps=0, log_every=1, checkpoint_seconds=-1.0)


def run(folder: Path, steps: int = 6, stop_before: int | None = None) -> dict[str, torch.Tensor]:
    """Train a small model; gives its finished weights."""
    torch.manual_seed(1)
    model = nn.Linear(4, 1)

    def loss(number: int) -> dict[str, torch.Tensor]:
        if number == stop_before:
            raise KeyboardInterrupt
        batch = torch.randn(8, 4, generator=torch.Generator().manual_seed(number))
        return {"loss": (model(batch) - batch.sum(1, True)).square().mean()}

    train(folder, model, loss, replace(SETTINGS, steps=steps))
    return load_file(folder / "model.safetensors")


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """A run that was stopped after four steps."""
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, stop_before=4)
    return tmp_path


def test_a_stopped_run_keeps_two_checkpoints_and_a_finished_one_keeps_one(stopped: Path) -> None:
    assert read_checkpoint(stopped / FILE)["step"] == 4
    assert read_checkpoint(stopped / PREVIOUS)["step"] == 3
    run(stopped)
    assert (stopped / FILE).exists()
    assert not (stopped / PREVIOUS).exists()


def test_a_damaged_checkpoint_is_named_and_the_one_before_it_is_used(
    stopped: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = stopped / FILE
    content = bytearray(path.read_bytes())
    # a bit of the weights themselves
    weight = read_checkpoint(path)["masters"]["weight"]
    content[content.find(weight.numpy().tobytes()) + 2] ^= 1
    path.write_bytes(content)
    caplog.set_level(logging.WARNING, "mamtra")  # a quiet command in this process asks for less
    assert torch.equal(run(stopped)["weight"], run(tmp_path / "whole")["weight"])
    assert "is damaged (the checksum of" in caplog.text
    assert f"the run goes on from the one before, {PREVIOUS}" in caplog.text


def test_a_damaged_line_of_the_log_takes_no_other_with_it(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"step": 1}\n{"ste\n{"step": 2}\n{"step": 3}\n')
    clean_folder(tmp_path, log.name, 2)
    assert log.read_text() == '{"step": 1}\n{"step": 2}\n'


def test_a_run_without_a_whole_checkpoint_says_so(stopped: Path) -> None:
    for name in (FILE, PREVIOUS):
        (stopped / name).write_bytes((stopped / name).read_bytes()[:-40])
    with pytest.raises(TrainingError, match=r"checkpoint\.pt' is damaged .*; delete it to train"):
        run(stopped)


@pytest.mark.parametrize("content", [b"", b"[", b"PK\x05\x06" + bytes(18)])
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(TrainingError, match="is damaged"):
        run(tmp_path)


def test_no_flipped_bit_is_ever_trained_on(stopped: Path) -> None:
    path, draw = stopped / FILE, random.Random(0)
    whole, expected = path.read_bytes(), read_checkpoint(path)
    refused = 0
    for _ in range(200):
        content = bytearray(whole)
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        path.write_bytes(content)
        try:
            found = read_checkpoint(path)
        except TrainingError:
            refused += 1
            continue
        # a bit that means nothing, such as of the padding between entries
        assert found["step"] == expected["step"]
        assert torch.equal(found["masters"]["weight"], expected["masters"]["weight"])
    assert refused > 20
