"""The run that makes nano's student: half of the teacher's attention becomes Mamba.

Ratio 1:1, the first layer of each block stays attention, the Mamba layers start from the teacher's
projections, and teacher and student read the very same batch. ``StudentRun()`` is the paper's
recipe at nano's size; ``SHIPPED`` is ours, which made the student that nano speaks with: output
projections solved before training, Mamba layers that begin as open as attention is, the teacher's
answers weighed above the data (docs/reproduce.md compares them).
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from mamtra.backbone import Layout, MambaConfig
from mamtra.corpus.synthetic.manifest import Corpus
from mamtra.corpus.synthetic.tokens import TokenTable
from mamtra.recipes.nano.speech_lm import LAYERS, SpeechLMRun, SpeechLMTask, compile_layers
from mamtra.speech_lm.model import SpeechLM
from mamtra.training.loop import LoopSettings, train
from mamtra.training.workers import rank, world
from mamtra.transfer.align import alignment
from mamtra.transfer.calibrate import calibrate
from mamtra.transfer.forms import FORMS
from mamtra.transfer.freeze import apply
from mamtra.transfer.losses import DistillLosses, distillation
from mamtra.transfer.removal import keep_layers, kept_config
from mamtra.transfer.student import make_student, student_config

CALIBRATION_NUMBER = 1_000_000  # batches from this number on are never reached by training


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentRun:
    """Everything that decides the student's training.

    Attributes:
        teacher: the run that made the teacher; its batches are the student's as well.
        start: where the Mamba layers begin, see ``make_student``.
        data_seed: another seed than the teacher's gives batches in another order.
        kept_layers: the rival of the hybrid: instead of another layout the student has only these
            of the teacher's layers.
        freeze: which weights learn, one of ``transfer.freeze.POLICIES``.
        calibration_batches: from so many batches the output projections of the Mamba layers are
            solved before training; 0 leaves them as the start made them.
        align_steps: in so many of the steps each Mamba mixer learns by itself from the attention it
            replaces, before the whole student is distilled.
    """

    teacher: SpeechLMRun = field(default_factory=SpeechLMRun)
    layout: str = field(
        default_factory=lambda: str(
            Layout.named("block-begin", attention=1, other=1, layers=LAYERS)
        )
    )
    mamba: MambaConfig = field(default_factory=MambaConfig)
    start: str = "attention"
    losses: DistillLosses = field(default_factory=DistillLosses)
    settings: LoopSettings = field(
        default_factory=lambda: LoopSettings(
            steps=440,
            learning_rate=1e-3,
            warmup_steps=50,
            precision="bfloat16",
            optimizer="muon",
            weight_decay=0.02,
        )
    )
    data_seed: int = 1
    kept_layers: tuple[int, ...] = ()
    freeze: str = "all"
    calibration_batches: int = 0
    align_steps: int = 0
    align_target: str = "mixer"


OPEN_MAMBA = FORMS["M"]["open"]
CALIBRATION_BATCHES = 8
SOLVED: dict[str, Any] = {"mamba": OPEN_MAMBA, "calibration_batches": CALIBRATION_BATCHES}
TEACHER_FIRST = DistillLosses(ce=0.1, logits=1.0)
OURS: dict[str, Any] = {**SOLVED, "losses": TEACHER_FIRST}
SHIPPED = StudentRun(settings=replace(StudentRun().settings, steps=800, evaluate_every=200), **OURS)


def untrained(run: StudentRun) -> SpeechLM:
    """A student of the right shape; its weights mean nothing yet."""
    config = run.teacher.config
    if run.kept_layers:
        return SpeechLM(kept_config(config, sorted(run.kept_layers)))
    return SpeechLM(student_config(config, run.layout, [run.mamba]))


class StudentTask:
    """A teacher that answers, a student that learns, and the batches both read."""

    def __init__(
        self, run: StudentRun, corpus: Corpus, tokens: TokenTable, teacher_weights: Path
    ) -> None:
        settings = replace(run.teacher.settings, seed=run.data_seed)
        self.run = run
        self.data = SpeechLMTask(replace(run.teacher, settings=settings), corpus, tokens)
        self.teacher = self.data.model
        self.teacher.load_state_dict(load_file(teacher_weights))
        student, self.report = (
            keep_layers(self.teacher, run.kept_layers)
            if run.kept_layers
            else make_student(
                self.teacher,
                run.layout,
                start=run.start,
                variants=[run.mamba],
                seed=run.settings.seed,
            )
        )
        assert isinstance(student, SpeechLM)
        self.student = self.data.model = student
        self.calibrate()
        apply(student, run.freeze)
        if run.settings.precision == "bfloat16":
            self.teacher.to(torch.bfloat16)
        self.teacher.eval().requires_grad_(False)
        if run.teacher.compiled:
            compile_layers(self.teacher)
            compile_layers(student)

    @torch.no_grad()
    def calibrate(self) -> None:
        """Solve the output projections on batches that training does not draw."""
        numbers = range(CALIBRATION_NUMBER, CALIBRATION_NUMBER + self.run.calibration_batches)
        if not numbers:
            return
        batches = [self.data.batch(number) for number in numbers]
        sequences = [(self.teacher.embed(batch), batch.real) for batch in batches]
        calibrate(self.teacher.backbone, self.student.backbone, sequences)

    def align(self, number: int) -> dict[str, Tensor]:
        """How far each new mixer is from the attention it replaces."""
        batch = self.data.batch(number)
        with torch.no_grad():
            inputs = self.teacher.embed(batch)
        stacks = self.teacher.backbone, self.student.backbone
        errors = alignment(*stacks, inputs, batch.real, self.run.align_target)
        return {"loss": torch.stack([*errors.values()]).mean()}

    def loss(self, number: int) -> dict[str, Tensor]:
        """The losses of one batch, read by teacher and student."""
        if number // world() < self.run.align_steps:
            return self.align(number)
        batch = self.data.batch(number)
        with torch.no_grad():
            taught = self.teacher.loss(batch, keep_logits=True, keep_inputs=True)
        learned = self.student.loss(batch, keep_logits=True, keep_inputs=True)
        assert learned.logits is not None
        assert taught.logits is not None
        values = distillation(
            self.run.losses,
            learned.logits,
            taught.logits,
            batch.targets,
            learned.inputs,
            taught.inputs,
        )
        return {**values, "teacher_ce": taught.loss}


def train_student(
    corpus_folder: Path,
    tokens_path: Path,
    teacher_weights: Path,
    folder: Path,
    run: StudentRun | None = None,
) -> None:
    """Distil the teacher; ``folder/model.safetensors`` then holds the student.

    ``folder/transfer.txt`` says which tensors were copied, fresh or unused.
    """
    run = run or StudentRun()
    task = StudentTask(
        run, Corpus.open(corpus_folder), TokenTable.open(tokens_path), teacher_weights
    )
    folder.mkdir(parents=True, exist_ok=True)
    if rank() == 0:
        (folder / "transfer.txt").write_text(task.report.table() + "\n")
    train(folder, task.student, task.loss, run.settings, task.data.evaluate)
