"""``mamtra distill --estimate``: bytes by part and hours by card, before anything runs."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mamtra.distillation.settings import DistillRun
    from mamtra.distillation.training_bytes import Estimate


def is_ratio(student: str) -> bool:
    """Whether a student is given by its ratio, such as 1:3, and not by its folder."""
    return ":" in student and not Path(student).exists()


def show_estimate(found: "Estimate") -> None:
    """Bytes by part and hours by card, for people."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from mamtra.sizing.gpus import readable

    console = Console()
    drawn = Table(title="on each device, by arithmetic", box=SIMPLE_HEAD)
    drawn.add_column("part")
    drawn.add_column("bytes", justify="right")
    for name, count in (*asdict(found.parts).items(), ("total", found.parts.total)):
        drawn.add_row(name.replace("_", " "), readable(count))
    console.print(drawn)
    drawn = Table(
        title=f"{found.hours_of_speech:g} h of speech, {found.epochs:g} times: "
        f"{found.tokens:,} tokens, {found.steps:,} steps, {found.operations:.2g} operations",
        box=SIMPLE_HEAD,
    )
    for name in ("card", "hours on one", "this batch fits", "largest batch, tokens"):
        drawn.add_column(name, justify="left" if name == "card" else "right")
    for card in found.cards:
        fits = "yes" if card.fits else "no"
        drawn.add_row(card.card, f"{card.hours:,.1f}", fits, f"{card.largest_batch:,}")
    console.print(drawn)
    console.print(
        f"hours assume that {found.utilisation:.0%} of a card's best is reached; activations and "
        f"logits are estimates",
        highlight=False,
    )


def print_estimate(
    teacher: str, student: str, run: "DistillRun", hours: float, utilisation: float, as_json: bool
) -> None:
    """Print what a run will take; both are sizes or folders, the student may be a ratio."""
    from mamtra.distillation.training_bytes import estimate
    from mamtra.sizing.sizes import model_sizes, shaped

    sizes = model_sizes(teacher)
    other = shaped(sizes, student) if is_ratio(student) else model_sizes(student)
    found = estimate(
        sizes.speech_lm,
        other.speech_lm,
        run,
        hours_of_speech=hours,
        epochs=run.epochs or 1.0,
        utilisation=utilisation,
    )
    if as_json:
        print(json.dumps(found.row()))
    else:
        show_estimate(found)
