"""Rehearse a distillation: real batches, both models, all gradients, no step of the optimiser.

It tells what a step will cost in time and memory before a run is begun, at full size and without
any weights: models are then filled at random, which costs the same. Adam's two numbers a weight are
not held and are added by arithmetic.
"""

import resource
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from mamtra.distillation.data import Utterances, random_utterances
from mamtra.distillation.distill import batches_for
from mamtra.distillation.settings import DistillRun
from mamtra.distillation.task import DistillTask
from mamtra.sizing.sizes import model_sizes, shaped
from mamtra.speech_lm.model import SpeechLM
from mamtra.training.loop import rehearse
from mamtra.transfer.student import make_student

STEPS = 2
ADAM_BYTES = 8  # two float32 numbers for each weight that is trained


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsedStep:
    """What one step cost.

    Attributes:
        tokens: text and speech ids in the step's batches, without padding.
        peak_bytes: most memory so far: of the process on a CPU, of tensors on a GPU.
    """

    step: int
    loss: float
    gradient: float
    seconds: float
    tokens: int
    peak_bytes: int


def peak_bytes(device: torch.device) -> int:
    """Most memory that was in use at once since the process began."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def random_pair(
    model: str, ratio: str, device: torch.device | str = "cpu", seed: int = 0
) -> tuple[SpeechLM, SpeechLM]:
    """A teacher of a model's sizes with random weights, and the student made from it.

    Args:
        model: a name or a folder whose sizes are taken: ``cosyvoice2``, ``toy``.
        ratio: attention to Mamba, as ``1:1``.
        device: where the weights are drawn; a GPU draws a billion of them in no time.
        seed: of the weights.

    Raises:
        ModelError: there is no such model.
        ConfigError: the ratio is unknown.
    """
    sizes = model_sizes(model)
    layout = shaped(sizes, ratio).backbone.layout
    torch.manual_seed(seed)
    with torch.device(device):
        teacher = SpeechLM(sizes.speech_lm)
        student, _ = make_student(teacher, layout, seed=seed)
    assert isinstance(student, SpeechLM)
    return teacher, student


def state_bytes_to_come(task: DistillTask) -> int:
    """What Adam will hold beside everything that a rehearsal holds."""
    return ADAM_BYTES * sum(
        weight.numel() for name, weight in task.student.named_parameters() if name in task.trainable
    )


def rehearsal(task: DistillTask, steps: int = STEPS) -> Iterator[RehearsedStep]:
    """Go through some steps; the student's weights stay.

    Raises:
        TrainingError: memory is full.
    """
    settings = replace(task.run.settings, steps=steps)
    for step, row in enumerate(rehearse(task.student, task.loss, settings)):
        numbers = range(step * settings.accumulate, (step + 1) * settings.accumulate)
        tokens = sum(int(task.batches.at(number).lengths.sum()) for number in numbers)
        yield RehearsedStep(
            step=step,
            loss=row["loss"],
            gradient=row["gradient"],
            seconds=row["seconds"],
            tokens=tokens,
            peak_bytes=peak_bytes(task.device),
        )


def task_of(
    models: tuple[SpeechLM, SpeechLM],
    utterances: Utterances | None,
    run: DistillRun,
    device: torch.device,
) -> DistillTask:
    """The task of a rehearsal; without utterances they are random, as long as LibriTTS's.

    Steps of the alignment, which a run only begins with, are rehearsed where there are no others.
    """
    if run.align_steps < run.settings.steps:
        run = replace(run, align_steps=0)
    given = utterances or random_utterances(models[0].config, 2000)
    return DistillTask(*models, batches_for(run, given, models[0].config), run, device)
