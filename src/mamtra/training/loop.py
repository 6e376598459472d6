"""The training loop: steps, learning rate, log, checkpoints.

A run lives in a folder: ``log.jsonl`` (one line a report), ``checkpoint.pt`` (everything needed to
go on) and, at the end, ``model.safetensors``. Batches are drawn from the step's number alone, so a
run killed at any moment resumes from its last checkpoint and computes the same bits. Files are
written beside and renamed: a kill never leaves half a checkpoint.

In bfloat16 the model computes with rounded weights while the optimiser keeps them in float32 (the
masters).
"""

import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors.torch import save_file
from torch import Tensor, nn

from mamtra.errors import ConfigError, TrainingError
from mamtra.training.workers import average, rank, wait, world


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSettings:
    """How long and how fast to train.

    Attributes:
        final_learning_rate_share: the learning rate falls along a cosine to this share of its peak.
        checkpoint_seconds: time between two checkpoints.
        precision: what the model computes in; the optimiser always works in float32.
        optimizer: ``muon`` uses Muon for the weight matrices and Adam for the rest.
    """

    steps: int
    learning_rate: float = 1e-3
    warmup_steps: int = 100
    final_learning_rate_share: float = 0.02
    weight_decay: float = 0.01
    gradient_clip: float = 1.0
    betas: tuple[float, float] = (0.9, 0.98)
    seed: int = 0
    log_every: int = 50
    evaluate_every: int = 500
    checkpoint_seconds: float = 120.0
    precision: Literal["float32", "bfloat16"] = "float32"
    optimizer: Literal["adam", "muon"] = "adam"

    def __post_init__(self) -> None:
        if self.steps < 1 or self.warmup_steps < 0:
            raise ConfigError(
                f"steps={self.steps}, warmup_steps={self.warmup_steps}: must be positive"
            )

    def learning_rate_at(self, step: int) -> float:
        """Linear warm-up, then a cosine down to the final share."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        done = (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps)
        share = self.final_learning_rate_share
        return self.learning_rate * (share + (1 - share) * (1 + math.cos(math.pi * done)) / 2)


class Masters:
    """Float32 copies of a model's trainable weights, with their optimisers."""

    def __init__(self, model: nn.Module, settings: LoopSettings) -> None:
        named = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        self.weights = {name: weight.detach().float().clone() for name, weight in named.items()}
        if settings.precision == "bfloat16":
            model.to(torch.bfloat16)
        self.live = {name: dict(model.named_parameters())[name] for name in named}
        matrices = [name for name, weight in self.weights.items() if self.is_matrix(name, weight)]
        if settings.optimizer == "adam":
            matrices = []
        rest = [name for name in self.weights if name not in matrices]
        self.optimizers: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(
                [self.weights[name] for name in rest],
                betas=settings.betas,
                weight_decay=settings.weight_decay,
                fused=True,
            )
        ]
        if matrices:
            self.optimizers.append(
                torch.optim.Muon(
                    [self.weights[name] for name in matrices],
                    weight_decay=settings.weight_decay,
                    adjust_lr_fn="match_rms_adamw",
                )
            )

    @staticmethod
    def is_matrix(name: str, weight: Tensor) -> bool:
        """Whether Muon may train a weight: a matrix inside the network, neither table nor head."""
        return weight.ndim == 2 and not any(part in name for part in ("embedding", "head"))

    def step(self, settings: LoopSettings, learning_rate: float) -> float:
        """Apply the gradients of the live weights; returns the gradient's norm before clipping."""
        for name, master in self.weights.items():
            gradient = self.live[name].grad
            master.grad = None if gradient is None else gradient.float()
            self.live[name].grad = None
        average([master.grad for master in self.weights.values() if master.grad is not None])
        norm = nn.utils.clip_grad_norm_(self.weights.values(), settings.gradient_clip)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate
            optimizer.step()
        self.publish()
        return float(norm)

    @torch.no_grad()
    def publish(self) -> None:
        """Write the masters into the live model, rounded to its type."""
        for name, master in self.weights.items():
            self.live[name].copy_(master)


def write_beside(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file under another name and rename it, so that a kill leaves the old one whole."""
    beside = path.with_name(path.name + ".part")
    write(beside)
    os.replace(beside, path)


class Log:
    """One JSON line a report, on disk and as a progress bar on standard error."""

    def __init__(self, path: Path, done: int, steps: int) -> None:
        self.file = path.open("a")
        quiet = rank() > 0 or not Console(stderr=True).is_terminal
        self.progress = Progress(
            TextColumn(path.parent.name),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[loss]}"),
            console=Console(stderr=True),
            disable=quiet,
        )
        self.task = self.progress.add_task("train", total=steps, completed=done, loss="")

    def write(self, row: dict[str, float | int]) -> None:
        """Append one line."""
        self.file.write(json.dumps(row) + "\n")
        self.file.flush()

    def __enter__(self) -> "Log":
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()
        self.file.close()


def save_checkpoint(
    folder: Path, masters: Masters, model: nn.Module, step: int, seconds: float
) -> None:
    """Write everything that a resumed run needs."""
    frozen = {
        name: value for name, value in model.state_dict().items() if name not in masters.weights
    }
    content = {
        "step": step,
        "seconds": seconds,
        "masters": masters.weights,
        "frozen": frozen,
        "optimizers": [optimizer.state_dict() for optimizer in masters.optimizers],
    }
    write_beside(folder / "checkpoint.pt", lambda path: torch.save(content, path))


def load_checkpoint(folder: Path, masters: Masters, model: nn.Module) -> tuple[int, float]:
    """Restore a run's state; returns the finished steps and the seconds spent on them."""
    path = folder / "checkpoint.pt"
    if not path.exists():
        return 0, 0.0
    content = torch.load(path, weights_only=True)
    if content["masters"].keys() != masters.weights.keys():
        raise TrainingError(f"{str(path)!r} belongs to another model; choose another folder")
    for name, value in content["masters"].items():
        masters.weights[name].copy_(value)
    model.load_state_dict(content["frozen"], strict=False)
    for optimizer, state in zip(masters.optimizers, content["optimizers"], strict=True):
        optimizer.load_state_dict(state)
    masters.publish()
    return content["step"], content["seconds"]


def train(
    folder: Path,
    model: nn.Module,
    loss: Callable[[int], dict[str, Tensor]],
    settings: LoopSettings,
    evaluate: Callable[[], dict[str, float]] | None = None,
) -> None:
    """Train a model, or go on with a run that was stopped.

    Args:
        folder: where the run lives.
        model: its trainable weights are those that require a gradient.
        loss: draws the batch of a number and computes the values to log; ``"loss"`` is minimised.
            The
            number is the step's, or with several workers a different one for each.
        settings: how long and how fast.
        evaluate: values to log on held-out data; the model is in evaluation mode then.

    Raises:
        TrainingError: the loss is no longer a number; the last checkpoint is intact.
    """
    folder.mkdir(parents=True, exist_ok=True)
    masters = Masters(model, settings)
    first, before = load_checkpoint(folder, masters, model)
    wait()
    started = saved = time.monotonic()
    chief = rank() == 0
    with Log(folder / "log.jsonl" if chief else Path(os.devnull), first, settings.steps) as log:
        for step in range(first, settings.steps):
            torch.manual_seed(settings.seed * 1_000_003 + step)
            model.train()
            values = loss(step * world() + rank())
            values["loss"].backward()
            rate = settings.learning_rate_at(step)
            norm = masters.step(settings, rate)
            done = step + 1
            seconds = before + time.monotonic() - started
            if done % settings.log_every == 0 or done == settings.steps:
                row = {name: round(value.item(), 5) for name, value in values.items()}
                if not math.isfinite(row["loss"]):
                    raise TrainingError(
                        f"the loss is {row['loss']} at step {step}; the last checkpoint in "
                        f"{str(folder)!r} is intact, lower the learning rate and start again"
                    )
                log.progress.update(log.task, completed=done, loss=f"loss {row['loss']:.4f}")
                log.write(
                    {"step": done, **row, "gradient": round(norm, 4), "seconds": round(seconds, 1)}
                )
            if (
                chief
                and evaluate
                and (done % settings.evaluate_every == 0 or done == settings.steps)
            ):
                model.eval()
                with torch.inference_mode():
                    log.write({"step": done, "seconds": round(seconds, 1), **evaluate()})
            late = time.monotonic() - saved > settings.checkpoint_seconds
            if chief and (late or done == settings.steps):
                save_checkpoint(folder, masters, model, done, seconds)
                saved = time.monotonic()
    if not chief:
        return
    weights = {name: value.float() for name, value in model.state_dict().items()} | masters.weights
    write_beside(
        folder / "model.safetensors",
        lambda path: save_file({name: value.contiguous() for name, value in weights.items()}, path),
    )
