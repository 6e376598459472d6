"""``mamtra nano``: make nano again, stage by stage or all at once.

Hours on two cores; every stage goes on where it was stopped.
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from mamtra.checkpoints.locate import locate
from mamtra.cli.signals import stop_reported
from mamtra.errors import ConfigError
from mamtra.recipes.nano.assemble import assemble
from mamtra.recipes.nano.stages import STAGES, Workshop, run_stage
from mamtra.recipes.nano.student import STUDENTS
from mamtra.training.device import device_named

ALL, MODEL = "all", "model"


def nano(
    stage: Annotated[
        str, typer.Argument(help=f"One of: {', '.join((*STAGES, MODEL, ALL))}.")
    ] = ALL,
    folder: Annotated[
        Path, typer.Option("--folder", "-f", help="Where it is made; holds corpus/.")
    ] = Path("runs/nano"),
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The model's folder; in FOLDER if not set."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Training processes.")] = 2,
    start: Annotated[
        str | None,
        typer.Option(
            help="Earlier model that decoder, vocoder and language models begin with, as nano."
        ),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Steps of the stage, other than its recipe's.")
    ] = None,
    device: Annotated[
        str, typer.Option(help="cpu, or cuda for decoder, vocoder and language models.")
    ] = "cpu",
    larger: Annotated[
        int, typer.Option(min=1, help="Batches so many times as large, as suits a GPU.")
    ] = 1,
) -> None:
    """Train nano's parts on a synthetic corpus and write the model's folder.

    Further students (student-1-5, removed-6, ...) are trained when they are named.

    The corpus comes first: mamtra corpus synthesize -o FOLDER/corpus.
    """
    begin = None if start is None else locate(start)
    where = str(device_named(device))
    workshop = Workshop(
        folder=folder, workers=workers, start=begin, steps=steps, device=where, larger=larger
    )
    console = Console(stderr=True)
    if stage not in (*STAGES, MODEL, ALL):
        raise ConfigError(f"unknown stage {stage!r}; known: {', '.join((*STAGES, MODEL, ALL))}")
    for name in [n for n in STAGES if n not in STUDENTS] if stage == ALL else [stage]:
        if name in STAGES:
            with stop_reported():
                ran = run_stage(workshop, name)
            console.print(f"{name}: {'done' if ran else 'was there already'}")
        if name == "student":
            console.print((folder / "student" / "transfer.txt").read_text(), markup=False)
    if stage in (MODEL, ALL):
        target = output or folder / "model" / "nano"
        assemble(workshop, target)
        console.print(f"the model is in {target}; speak with: mamtra say TEXT --model {target}")
