"""The loop: killed and resumed runs equal unbroken ones; bad losses stop it with the checkpoint
intact."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from mamtra.errors import TrainingError
from mamtra.training.loop import LoopSettings, train

SETTINGS = LoopSettings(
    steps=12, warmup_steps=2, log_every=1, evaluate_every=4, checkpoint_seconds=0.0
)


def make_model() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.1), nn.Linear(8, 1))


def loss_of(model: nn.Module, stop_before: int | None = None):
    def loss(step: int) -> dict[str, torch.Tensor]:
        if step == stop_before:
            raise KeyboardInterrupt
        batch = torch.randn(16, 4, generator=torch.Generator().manual_seed(step))
        weight = next(model.parameters())
        return {
            "loss": (model(batch.to(weight.dtype)).float() - batch.sum(1, True)).square().mean()
        }

    return loss


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_a_stopped_run_resumes_to_the_same_bits(tmp_path, precision, optimizer) -> None:
    settings = LoopSettings(
        steps=12, log_every=1, checkpoint_seconds=0.0, precision=precision, optimizer=optimizer
    )
    model = make_model()
    train(tmp_path / "whole", model, loss_of(model), settings)
    model = make_model()
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "broken", model, loss_of(model, stop_before=7), settings)
    model = make_model()
    train(tmp_path / "broken", model, loss_of(model), settings)
    for name, value in weights(tmp_path / "whole").items():
        assert torch.equal(value, weights(tmp_path / "broken")[name])


def test_a_run_killed_at_any_moment_resumes_to_the_same_bits(tmp_path) -> None:
    program = textwrap.dedent(
        f"""
        import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
        from pathlib import Path
        import time
        from test_loop import SETTINGS, loss_of, make_model
        from mamtra.training.loop import train
        model = make_model()
        quick = loss_of(model)
        def loss(step):
            time.sleep(0.02)
            return quick(step)
        train(Path(sys.argv[1]), model, loss, SETTINGS)
        """
    )
    folder = tmp_path / "killed"
    log = folder / "log.jsonl"
    for lines in (3, 6):
        process = subprocess.Popen([sys.executable, "-c", program, str(folder)])
        limit = time.monotonic() + 60
        while not (log.exists() and len(log.read_text().splitlines()) > lines):
            assert process.poll() is None
            assert time.monotonic() < limit
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    model = make_model()
    train(folder, model, loss_of(model), SETTINGS)
    model = make_model()
    train(tmp_path / "whole", model, loss_of(model), SETTINGS)
    for name, value in weights(tmp_path / "whole").items():
        assert torch.equal(value, weights(folder)[name])


def test_a_loss_that_is_no_number_stops_with_the_checkpoint_intact(tmp_path) -> None:
    model = make_model()
    good = loss_of(model)

    def loss(step: int) -> dict[str, torch.Tensor]:
        values = good(step)
        return {"loss": values["loss"] * (float("nan") if step == 5 else 1.0)}

    with pytest.raises(TrainingError, match="at step 5"):
        train(tmp_path, model, loss, SETTINGS)
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == 5


def test_the_log_holds_every_report_and_the_evaluations(tmp_path) -> None:
    model = make_model()
    train(tmp_path, model, loss_of(model), SETTINGS, lambda: {"validation_loss": 1.0})
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "loss" in row] == list(range(1, 13))
    assert [row["step"] for row in rows if "validation_loss" in row] == [4, 8, 12]


def test_a_checkpoint_of_another_model_is_refused(tmp_path) -> None:
    model = make_model()
    train(tmp_path, model, loss_of(model), SETTINGS)
    other = nn.Linear(4, 1)
    with pytest.raises(TrainingError, match="belongs to another model"):
        train(tmp_path, other, loss_of(other), SETTINGS)


def test_the_learning_rate_warms_up_and_falls() -> None:
    settings = LoopSettings(steps=100, warmup_steps=10, learning_rate=1.0)
    rates = [settings.learning_rate_at(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(1.0)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 0.03
