"""Distil a teacher's folder into a student's on prepared speech: the paper's training at any size.

The defaults are the paper's: Adam at a constant 1e-5, gradients clipped at 5, about 800 s of speech
in a batch, the Mamba mixers, speech embedding and head learn. A run's folder holds ``run.json``
(what was asked for), the log and the checkpoint, ``samples/`` and at the end ``student/``, a model
folder to speak with. The same call goes on with a run that was stopped.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from mamtra.checkpoints.format import ModelFolder
from mamtra.checkpoints.modules import open_language_model
from mamtra.distillation.data import DistillBatches, Utterances
from mamtra.distillation.run_folder import STUDENT, note_request, request_of, write_trained
from mamtra.distillation.teacher_cache import Answers
from mamtra.errors import ConfigError, ModelError
from mamtra.speech_lm.batch import Batch
from mamtra.speech_lm.model import SpeechLM, SpeechLMConfig
from mamtra.training.loop import LoopSettings, train
from mamtra.training.workers import rank, wait
from mamtra.transfer.freeze import apply
from mamtra.transfer.losses import DistillLosses, cross_entropy, distillation

ANSWERS = "answers"


def paper_settings(steps: int) -> LoopSettings:
    """The paper's optimiser (docs: its training section), in bfloat16."""
    return LoopSettings(
        steps=steps,
        learning_rate=1e-5,
        warmup_steps=0,
        schedule="constant",
        weight_decay=0.0,
        gradient_clip=5.0,
        betas=(0.9, 0.999),
        precision="bfloat16",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillRun:
    """Everything that decides a distillation but its models and data.

    Attributes:
        places: text and speech ids in a batch, padding included; 800 s of speech and its text.
        freeze: which weights learn, one of ``transfer.freeze.POLICIES``.
        bi_stream: half of the utterances that suit it alternate text and speech.
        recompute: keep less for the gradients and compute it again.
        held_out: utterances that are kept from training, to measure on.
        answers: the teacher's most probable ids that are kept on disk for later epochs; 0 lets the
            teacher answer anew each time, with all ids.
    """

    settings: LoopSettings = field(default_factory=lambda: paper_settings(37_500))
    losses: DistillLosses = field(default_factory=DistillLosses)
    places: int = 22_500
    freeze: str = "mamba"
    bi_stream: bool = True
    recompute: bool = False
    held_out: int = 64
    answers: int = 0

    def __post_init__(self) -> None:
        if self.places < 1 or self.held_out < 0:
            raise ConfigError(
                f"places={self.places} must be at least 1 and held_out={self.held_out} at least 0"
            )


def check_pair(teacher: SpeechLMConfig, student: SpeechLMConfig) -> None:
    """Refuse models that do not read and write the same ids.

    Raises:
        ModelError: they do not.
    """
    for name in ("text_vocabulary", "speech_vocabulary"):
        theirs, ours = getattr(teacher, name), getattr(student, name)
        if theirs != ours:
            raise ModelError(
                f"the teacher's {name} is {theirs} and the student's {ours}; take a student that "
                f"was made from this teacher: mamtra convert TEACHER -o STUDENT --ratio 1:1"
            )


class DistillTask:
    """A teacher that answers, a student that learns, and the batches both read.

    Args:
        teacher: is not changed but for its type and device.
        student: what ``run.freeze`` names learns.
        batches: what both read.
        run: precision, losses, what learns.
        device: where to compute.
        answers: where the teacher's answers are kept, if they are.

    Raises:
        ModelError: teacher and student do not read and write the same ids.
    """

    def __init__(
        self,
        teacher: SpeechLM,
        student: SpeechLM,
        batches: DistillBatches,
        run: DistillRun,
        device: torch.device | str = "cpu",
        answers: Answers | None = None,
    ) -> None:
        self.answers = answers
        check_pair(teacher.config, student.config)
        self.run, self.batches, self.device = run, batches, torch.device(device)
        dtype = torch.bfloat16 if run.settings.precision == "bfloat16" else torch.float32
        self.teacher = teacher.to(self.device, dtype).eval().requires_grad_(False)
        self.student = student.to(self.device)
        self.student.backbone.recompute = run.recompute
        self.learnt = apply(self.student, run.freeze)
        width = teacher.special_embedding.embedding_dim
        self.same_width = width == student.special_embedding.embedding_dim
        self.teacher_ce: float | None = None

    @torch.no_grad()
    def taught(
        self, batch: Batch, inputs: Float[Tensor, "batch time dim"], number: int
    ) -> Float[Tensor, "predicted ids"]:
        """The teacher's answers to a batch, made now or kept."""
        if self.answers is None:
            return self.teacher.logits_at(inputs, batch.positions)
        rows = [self.answers.number(*layout) for layout in self.batches.layouts(number)]
        if self.answers.missing(rows):
            self.answers.keep(rows, self.teacher.logits_at(inputs, batch.positions))
        return self.answers.of(rows).to(self.device)

    def loss(self, number: int) -> dict[str, Tensor]:
        """The losses of one batch, read by teacher and student."""
        batch = self.batches.at(number).to(self.device)
        with torch.no_grad():
            inputs = self.teacher.embed(batch)
        answers = self.taught(batch, inputs, number)
        learned = self.student.loss(batch, keep_logits=True, keep_inputs=True)
        assert learned.logits is not None
        values = distillation(
            self.run.losses,
            learned.logits,
            answers,
            batch.targets,
            learned.inputs if self.same_width else None,
            inputs[batch.real] if self.same_width else None,
        )
        return {**values, "teacher_ce": cross_entropy(answers, batch.targets)}

    def held_out_ce(self, model: SpeechLM) -> float:
        """Nats a predicted id on the utterances kept from training."""
        nats, count = 0.0, 0
        for batch in self.batches.validation():
            losses = model.loss(batch.to(self.device))
            nats += float(losses.loss) * losses.predicted
            count += losses.predicted
        return round(nats / count, 5)

    def evaluate(self) -> dict[str, float]:
        """Held-out cross entropy of student and teacher."""
        if self.teacher_ce is None:
            self.teacher_ce = self.held_out_ce(self.teacher)
        return {
            "validation_ce": self.held_out_ce(self.student),
            "validation_teacher_ce": self.teacher_ce,
        }


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

    Args:
        folder: where the run lives.
        teacher: what it learns from.
        student: what ``mamtra convert`` made of it.
        utterances: what both read.
        run: how.
        data: what ``utterances`` were read from, for ``run.json``.
        device: where to compute.
        sampler: makes what writes samples during training.

    Returns:
        The finished student's folder.

    Raises:
        ConfigError: the folder holds another run.
        ModelError: teacher and student do not fit together.
        TrainingError: training had to stop; the last checkpoint is intact.
    """
    places = {
        "teacher": str(teacher.folder.resolve()),
        "student": str(student.folder.resolve()),
        "data": data,
    }
    if rank() == 0:
        note_request(folder, request_of(run, places))
    wait()
    models = [open_language_model(opened) for opened in (teacher, student)]
    batches = batches_for(run, utterances, models[1].config)
    kept = None
    if run.answers:
        size = models[0].vocabulary.size
        about = {"teacher": places["teacher"], "data": data, "precision": run.settings.precision}
        kept = Answers(folder / ANSWERS, batches.predicted(), size, run.answers, about)
    task = DistillTask(models[0], models[1], batches, run, device, kept)
    train(
        folder,
        task.student,
        task.loss,
        run.settings,
        task.evaluate if run.held_out else None,
        sampler(task) if sampler is not None and rank() == 0 else None,
    )
    if rank() == 0:
        write_trained(folder, student, task.learnt)
    wait()
    return folder / STUDENT


def batches_for(run: DistillRun, utterances: Utterances, config: SpeechLMConfig) -> DistillBatches:
    """The batches of a run."""
    return DistillBatches(
        utterances,
        config,
        places=run.places,
        held_out=run.held_out,
        bi_stream=run.bi_stream,
        seed=run.settings.seed,
    )
