"""The loss of a distillation at any size: a teacher, a student, and the batches both read.

Before training the student's new output projections may be solved by least squares (calibrate); in
the first steps each new mixer may learn by itself from the attention it replaces (align). A student
with layers removed instead of replaced is distilled in the same way, without these two.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from mamtra.distillation.settings import DistillRun
from mamtra.distillation.teacher_cache import TeacherCache
from mamtra.errors import ConfigError, ModelError
from mamtra.speech_lm.batch import Batch
from mamtra.speech_lm.measure import mean_cross_entropy
from mamtra.speech_lm.model import SpeechLM, SpeechLMConfig
from mamtra.training.workers import world
from mamtra.transfer.align import alignment
from mamtra.transfer.calibrate import calibrate
from mamtra.transfer.freeze import apply
from mamtra.transfer.losses import cross_entropy, distillation

CALIBRATION_NUMBER = 1_000_000  # batches from this number on are never reached by training


@runtime_checkable
class TrainingBatches(Protocol):
    """Training batches by number; the same number gives the same batch."""

    def at(self, number: int) -> Batch:
        """The batch of a number."""
        ...


def check_pair(teacher: SpeechLMConfig, student: SpeechLMConfig) -> None:
    """Refuse models that do not read and write the same ids.

    Raises:
        ModelError: they do not.
    """
    for name in ("text_vocabulary", "speech_vocabulary", "marks", "end_mark", "fill_mark"):
        theirs, ours = getattr(teacher, name), getattr(student, name)
        if theirs != ours:
            raise ModelError(
                f"the teacher's {name} is {theirs} and the student's {ours}; take a student that "
                f"was made from this teacher: mamtra convert TEACHER -o STUDENT --ratio 1:1"
            )


class DistillTask:
    """Teacher, student and batches of one distillation.

    Args:
        teacher: is not changed but for its type and device.
        student: what ``run.freeze`` names learns.
        batches: what both read.
        run: precision, losses, what learns, and how it starts.
        device: where to compute.
        cache: where the teacher's logits are kept, if they are.
        held_out: batches to measure on.

    Attributes:
        trainable: names of the student's weights that learn.

    Raises:
        ModelError: teacher and student do not read and write the same ids.
        LayoutError: the new mixers shall be calibrated, and the models differ in their layers.
        ConfigError: the run's ``freeze`` is unknown, or leaves nothing to learn; or no loss is left
            to learn from.
    """

    def __init__(
        self,
        teacher: SpeechLM,
        student: SpeechLM,
        batches: TrainingBatches,
        run: DistillRun,
        device: torch.device | str = "cpu",
        cache: TeacherCache | None = None,
        held_out: Sequence[Batch] = (),
    ) -> None:
        check_pair(teacher.config, student.config)
        self.run, self.batches, self.device = run, batches, torch.device(device)
        self.cache, self.held_out = cache, held_out
        self.teacher = teacher.to(self.device).eval().requires_grad_(False)
        self.student = student.to(self.device)
        self.calibrate()
        if run.settings.precision == "bfloat16":
            self.teacher.to(torch.bfloat16)
        self.student.backbone.recompute = run.recompute
        self.trainable = apply(self.student, run.freeze)
        width = teacher.special_embedding.embedding_dim
        self.same_width = width == student.special_embedding.embedding_dim
        self.check_losses()
        self.teacher_ce: float | None = None

    def check_losses(self) -> None:
        """Refuse a run whose steps, after those of the alignment, have no loss.

        Raises:
            ConfigError: they have none.
        """
        losses, settings = self.run.losses, self.run.settings
        left = losses.ce or losses.logits or (losses.embedding and self.same_width)
        if not left and self.run.align_steps < settings.steps:
            raise ConfigError(
                "no loss is left to learn from: give ce or logits a weight above 0; the "
                "embedding's takes models of one width"
            )

    @torch.no_grad()
    def calibrate(self) -> None:
        """Solve the new output projections on batches that training does not draw, in float32."""
        numbers = range(CALIBRATION_NUMBER, CALIBRATION_NUMBER + self.run.calibration_batches)
        if not numbers:
            return
        batches = [self.batches.at(number).to(self.device) for number in numbers]
        sequences = [(self.teacher.embed(batch), batch.real) for batch in batches]
        calibrate(self.teacher.backbone, self.student.backbone, sequences)

    @torch.no_grad()
    def teacher_logits(
        self, batch: Batch, inputs: Float[Tensor, "batch time dim"], number: int
    ) -> Float[Tensor, "predicted ids"]:
        """The teacher's logits for a batch, computed now or kept before."""

        def compute() -> Float[Tensor, "predicted ids"]:
            return self.teacher.logits_at(inputs, batch.positions)

        if self.cache is None:
            return compute()
        return self.cache.logits(number, compute).to(self.device)

    def align_loss(
        self, batch: Batch, inputs: Float[Tensor, "batch time dim"]
    ) -> dict[str, Tensor]:
        """How far each new mixer is from the attention it replaces."""
        stacks = self.teacher.backbone, self.student.backbone
        errors = alignment(*stacks, inputs, batch.real, self.run.align_target)
        return {"loss": torch.stack([*errors.values()]).mean()}

    def loss(self, number: int) -> dict[str, Tensor]:
        """The losses of one batch, read by teacher and student."""
        batch = self.batches.at(number).to(self.device)
        with torch.no_grad():
            inputs = self.teacher.embed(batch)
        if number // (self.run.settings.accumulate * world()) < self.run.align_steps:
            return self.align_loss(batch, inputs)
        expected = self.teacher_logits(batch, inputs, number)
        found = self.student.loss(batch, keep_logits=True, keep_inputs=True)
        assert found.logits is not None
        values = distillation(
            self.run.losses,
            found.logits,
            expected,
            batch.targets,
            found.inputs if self.same_width else None,
            inputs[batch.real] if self.same_width else None,
        )
        return {**values, "teacher_ce": cross_entropy(expected, batch.targets)}

    def evaluate(self) -> dict[str, float]:
        """Cross entropy of student and teacher on the held-out batches, in nats an id."""
        if self.teacher_ce is None:
            self.teacher_ce = mean_cross_entropy(self.teacher, self.held_out)
        return {
            "held_out_ce": mean_cross_entropy(self.student, self.held_out),
            "held_out_teacher_ce": self.teacher_ce,
        }
