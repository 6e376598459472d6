"""Recipes for distilling a student of any size: complete runs by name."""

from dataclasses import replace

from mamtra.distillation.settings import DistillRun
from mamtra.errors import ConfigError
from mamtra.transfer.losses import DistillLosses

EPOCHS = 15.0  # of the paper's shorter runs
CALIBRATION_BATCHES = 8


def paper() -> DistillRun:
    """The paper's: a constant 1e-5, the Mamba mixers, the speech embedding and the head learn."""
    return DistillRun(epochs=EPOCHS)


def teacher_first() -> DistillRun:
    """Ours: calibrated, everything learns, the teacher's logits weighed above the data.

    It closes most of the paper's gap at nano's size (docs/reproduce.md); at 0.5 B it is untried.
    """
    run = paper()
    settings = replace(run.settings, learning_rate=1e-4, schedule="cosine", warmup_steps=500)
    return replace(
        run,
        settings=settings,
        losses=DistillLosses(ce=0.1, logits=1.0, embedding=0.125),
        freeze="all",
        calibration_batches=CALIBRATION_BATCHES,
    )


RECIPES = {"paper": paper, "teacher-first": teacher_first}


def recipe_named(name: str) -> DistillRun:
    """The run that goes by a name.

    Raises:
        ConfigError: there is none.
    """
    if name not in RECIPES:
        raise ConfigError(f"recipe {name!r} is unknown; possible are {', '.join(RECIPES)}")
    return RECIPES[name]()
