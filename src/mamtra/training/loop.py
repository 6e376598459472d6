"""The training loop: steps, learning rate, log, checkpoints, on a CPU, a GPU or several.

A run lives in a folder: ``log.jsonl`` (one line a report), ``checkpoint.pt`` (everything needed to
go on) and, at the end, ``model.safetensors``. Batches are drawn from the step's number alone, so a
run killed at any moment resumes from its last checkpoint and computes the same bits. Files are
written beside and renamed: a kill never leaves half a checkpoint.

The loop computes where the model is. Several processes train as one when a process group is there:
``workers.launch`` makes one on a CPU, ``device.placed`` joins the one that torchrun starts.

In bfloat16 the model computes with rounded weights while the optimiser keeps them in float32 (the
master weights).
"""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from mamtra.errors import TrainingError
from mamtra.training.checkpoint import clean_folder, load_checkpoint, save_checkpoint, save_finished
from mamtra.training.clear_errors import clear_errors
from mamtra.training.log import Log
from mamtra.training.master_weights import MasterWeights, check_numbers
from mamtra.training.settings import LoopSettings
from mamtra.training.stop_requests import stop_requests
from mamtra.training.workers import rank, wait, world

LOG = "log.jsonl"
SAMPLES = "samples"

Loss = Callable[[int], dict[str, Tensor]]


def batch_numbers(step: int, accumulate: int) -> Iterator[int]:
    """Numbers of the batches that this process draws for a step.

    All processes together draw the same numbers whether they accumulate or are many.
    """
    first = step * accumulate * world()
    return (first + turn * world() + rank() for turn in range(accumulate))


def gradients(master_weights: MasterWeights, loss: Loss, step: int) -> dict[str, Tensor]:
    """Collect the gradients of a step's batches; returns the mean of the values to log."""
    count, sums = master_weights.settings.accumulate, dict[str, Tensor]()
    for number in batch_numbers(step, count):
        values = loss(number)
        values["loss"].backward()
        master_weights.collect()
        for name, value in values.items():
            sums[name] = sums[name] + value.detach() if name in sums else value.detach()
    return {name: value / count for name, value in sums.items()} if count > 1 else sums


class Run:
    """A run in its folder: what happens beside the steps themselves.

    Args:
        folder: where the run lives.
        model: its trainable weights are those that require a gradient.
        settings: how long and how fast.
        evaluate: values to log on held-out data.
        sample: writes what the model says into a folder.
    """

    def __init__(
        self,
        folder: Path,
        model: nn.Module,
        settings: LoopSettings,
        evaluate: Callable[[], dict[str, float]] | None,
        sample: Callable[[Path], None] | None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.model, self.settings = folder, model, settings
        self.evaluate, self.sample = evaluate, sample
        self.master_weights = MasterWeights(model, settings)
        self.first, self.before = load_checkpoint(folder, self.master_weights, model)
        self.chief = rank() == 0
        if self.chief:
            clean_folder(folder, LOG, self.first)
        wait()
        self.started = self.saved = time.monotonic()

    @property
    def seconds(self) -> float:
        """Time spent, that of earlier starts included."""
        return self.before + time.monotonic() - self.started

    def report(self, log: Log, done: int, values: dict[str, Tensor], norm: float) -> None:
        """Log a step, if it is one to be logged."""
        if done % self.settings.log_every and done != self.settings.steps:
            log.advance(done)
            return
        row = {name: value.item() for name, value in values.items()}
        log.advance(done, row["loss"])
        log.write({"step": done, **row, "gradient": norm, "seconds": round(self.seconds, 1)})

    def measure(self, log: Log, done: int) -> None:
        """Evaluate and write samples, if it is time for it."""
        last = done == self.settings.steps
        if not self.chief or (done % self.settings.evaluate_every and not last):
            return
        if self.evaluate is None and self.sample is None:
            return
        self.model.eval()
        with torch.inference_mode(), self.master_weights.shown():
            if self.evaluate is not None:
                seconds = round(self.seconds, 1)
                log.write({"step": done, "seconds": seconds, **self.evaluate()})
            if self.sample is not None:
                self.sample(self.folder / SAMPLES / f"step-{done}")

    def keep(self, done: int, now: bool) -> None:
        """Write a checkpoint, if it is time for it or ``now``."""
        late = time.monotonic() - self.saved > self.settings.checkpoint_seconds
        if self.chief and (now or late or done == self.settings.steps):
            save_checkpoint(self.folder, self.master_weights, self.model, done, self.seconds)
            self.saved = time.monotonic()


def train(
    folder: Path,
    model: nn.Module,
    loss: Loss,
    settings: LoopSettings,
    evaluate: Callable[[], dict[str, float]] | None = None,
    sample: Callable[[Path], None] | None = None,
) -> None:
    """Train a model, or go on with a run that was stopped.

    Args:
        folder: where the run lives.
        model: its trainable weights are those that require a gradient.
        loss: draws the batch of a number and computes the values to log; ``"loss"`` is minimised.
            The number is the step's, or with several batches a step a different one for each.
        settings: how long and how fast.
        evaluate: values to log on held-out data; the model is in evaluation mode then.
        sample: writes what the model says into the folder it is given, ``samples/step-N``.

    Raises:
        TrainingError: the loss is no longer a number, or memory or disk is full; the last
            checkpoint is intact.
        KeyboardInterrupt: the run was asked to stop (Ctrl-C, SIGTERM); its message names the step
            that the run goes on from.
        MissingExtraError: TensorBoard is asked for and not installed.
    """
    with clear_errors(folder), stop_requests() as stop:
        run = Run(folder, model, settings, evaluate, sample)
        path = folder / LOG if run.chief else Path(os.devnull)  # others write nowhere
        board = run.chief and settings.tensorboard
        with Log(path, run.first, settings.steps, board) as log:
            for step in range(run.first, settings.steps):
                torch.manual_seed(settings.seed * 1_000_003 + step)
                model.train()
                values = gradients(run.master_weights, loss, step)
                norm = check_numbers(values["loss"], run.master_weights.clip(), step, str(folder))
                run.master_weights.step(settings.learning_rate_at(step))
                done = step + 1
                run.report(log, done, values, norm)
                run.measure(log, done)
                run.keep(done, stop.asked)
                if stop.asked and done < settings.steps:
                    raise KeyboardInterrupt(f"stopped at step {done}; the same command goes on")
        if run.chief:
            save_finished(folder, run.master_weights, model)
        wait()


def rehearse(model: nn.Module, loss: Loss, settings: LoopSettings) -> Iterator[dict[str, float]]:
    """Everything that a step does but changing weights; nothing is written.

    Yields:
        After each step the values that would be logged, the gradient's norm and the seconds.

    Raises:
        TrainingError: memory is full, or the loss is not finite.
    """
    with clear_errors(None):
        master_weights = MasterWeights(model, settings)
        model.train()
        for step in range(settings.steps):
            torch.manual_seed(settings.seed * 1_000_003 + step)
            started = time.monotonic()
            values = gradients(master_weights, loss, step)
            try:
                norm = check_numbers(values["loss"], master_weights.clip(), step, "")
            except TrainingError as problem:
                raise TrainingError(str(problem).partition(";")[0]) from problem
            master_weights.forget()
            row = {name: float(value) for name, value in values.items()}
            yield {**row, "gradient": norm, "seconds": time.monotonic() - started}
