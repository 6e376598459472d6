"""Distil a teacher's folder into a student's on prepared speech: the paper's training at any size.

A run's folder holds ``run.json`` (what was asked for), the log and the checkpoint, ``samples/`` and
at the end ``student/``, a model folder to speak with. The same call goes on with a run that was
stopped.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from mamtra.checkpoints.format import ModelFolder
from mamtra.checkpoints.modules import open_language_model
from mamtra.distillation.data import DistillBatches, Utterances
from mamtra.distillation.run_folder import (
    STUDENT,
    check_request,
    request_of,
    save_request,
    write_trained,
)
from mamtra.distillation.settings import DistillRun
from mamtra.distillation.task import DistillTask, check_pair
from mamtra.distillation.teacher_cache import TeacherCache
from mamtra.speech_lm.model import SpeechLMConfig
from mamtra.training.device import processes
from mamtra.training.loop import train
from mamtra.training.workers import rank, wait

CACHE = "teacher_cache"


def batches_for(run: DistillRun, utterances: Utterances, config: SpeechLMConfig) -> DistillBatches:
    """The batches of a run."""
    return DistillBatches(
        utterances,
        config,
        tokens=run.tokens,
        held_out=run.held_out,
        bi_stream=run.bi_stream,
        seed=run.settings.seed,
    )


def with_steps(run: DistillRun, batches: DistillBatches) -> DistillRun:
    """The run with the steps that its epochs take on this data and so many processes."""
    if not run.epochs:
        return run
    steps = batches.steps(run.epochs, run.settings.accumulate * processes())
    return replace(run, settings=replace(run.settings, steps=steps))


def distill(
    folder: Path,
    teacher: ModelFolder,
    student: ModelFolder,
    utterances: Utterances,
    run: DistillRun,
    *,
    data: str = "",
    device: torch.device | str = "cpu",
    sampler: Callable[[DistillTask], Callable[[Path], None] | None] | None = None,
) -> Path:
    """Train the student, or go on with it, and write its folder.

    Nothing is written before models, data and run were checked against each other.

    Args:
        folder: where the run lives.
        teacher: what it learns from.
        student: what ``mamtra convert`` made of it.
        utterances: what both read.
        run: how.
        data: what ``utterances`` were read from: a fingerprint of their content.
        device: where to compute.
        sampler: makes what writes samples during training.

    Returns:
        The finished student's folder.

    Raises:
        ConfigError: the folder holds another run.
        ModelError: teacher and student do not fit together.
        CorpusError: there are too few utterances, or their ids are another model's.
        TrainingError: training had to stop; the last checkpoint is intact.
    """
    configs = [opened.section("speech_lm", SpeechLMConfig) for opened in (teacher, student)]
    check_pair(*configs)
    batches = batches_for(run, utterances, configs[1])
    run = with_steps(run, batches)
    models = [open_language_model(opened) for opened in (teacher, student)]
    request = request_of(run, teacher, student, data)
    check_request(folder, request)
    cache = None
    if run.teacher_cache:
        about = {
            "teacher": request.teacher_weights,
            "data": data,
            "text": utterances.text_fingerprint(),
            "precision": run.settings.precision,
        }
        former = {"teacher": request.teacher, "text": None}
        cache = TeacherCache(folder / CACHE, batches, run.teacher_cache, about, former)
    held_out = batches.validation()
    task = DistillTask(models[0], models[1], batches, run, device, cache, held_out)
    task.batches.at(0)  # refuses ids of another model
    if rank() == 0:
        save_request(folder, request)
    wait()
    train(
        folder,
        task.student,
        task.loss,
        run.settings,
        task.evaluate if held_out else None,
        sampler(task) if sampler is not None and rank() == 0 else None,
    )
    if rank() == 0:
        write_trained(folder, student, task.trainable)
    wait()
    return folder / STUDENT
