"""Everything that decides a distillation but its models and data, as one value."""

from dataclasses import dataclass, field
from typing import get_args

from mamtra.errors import ConfigError
from mamtra.training.settings import LoopSettings
from mamtra.transfer.align import Target
from mamtra.transfer.freeze import POLICIES
from mamtra.transfer.losses import DistillLosses


def paper_settings(steps: int) -> LoopSettings:
    """The paper's optimiser (arXiv 2603.12342, its training section), in bfloat16."""
    return LoopSettings(
        steps=steps,
        learning_rate=1e-5,
        warmup_steps=0,
        schedule="constant",
        weight_decay=0.0,
        gradient_clip=5.0,
        betas=(0.9, 0.999),
        precision="bfloat16",
        checkpoint_seconds=300.0,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillRun:
    """Everything that decides a distillation but its models and data.

    Attributes:
        epochs: times that the data is read; 0 takes ``settings.steps`` as it is.
        tokens: text and speech ids in a batch, padding included; the default is 800 s of speech.
        freeze: which weights learn, one of ``transfer.freeze.POLICIES``.
        calibration_batches: from so many batches the output projections of the replaced mixers are
            solved by least squares before training; 0 leaves them as the student's folder has them.
        align_steps: in so many of the first steps each replaced mixer learns by itself from the
            attention it replaces, before the whole student is distilled.
        align_target: what it learns then, one of ``transfer.align.Target``.
        bi_stream: half of the utterances that suit it alternate text and speech.
        recompute: keep less for the gradients and compute it again.
        held_out: utterances that are kept from training, to measure on.
        teacher_cache: the teacher's most probable ids that are kept on disk for later epochs; 0
            lets the teacher compute all of its logits anew each time.
    """

    settings: LoopSettings = field(default_factory=lambda: paper_settings(37_500))
    losses: DistillLosses = field(default_factory=DistillLosses)
    epochs: float = 0.0
    tokens: int = 22_500
    freeze: str = "mamba"
    calibration_batches: int = 0
    align_steps: int = 0
    align_target: str = "mixer"
    bi_stream: bool = True
    recompute: bool = False
    held_out: int = 64
    teacher_cache: int = 0

    def __post_init__(self) -> None:
        least = {
            "epochs": 0,
            "tokens": 1,
            "calibration_batches": 0,
            "align_steps": 0,
            "held_out": 0,
            "teacher_cache": 0,
        }
        for name, bound in least.items():
            if getattr(self, name) < bound:
                raise ConfigError(f"{name}={getattr(self, name)} must be at least {bound}")
        for name, known in (("freeze", POLICIES), ("align_target", get_args(Target))):
            if getattr(self, name) not in known:
                raise ConfigError(
                    f"{name}={getattr(self, name)!r} is unknown; possible are {', '.join(known)}"
                )
