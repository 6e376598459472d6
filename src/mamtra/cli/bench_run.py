"""What ``mamtra bench speed``, ``memory`` and ``compare`` share: options, running, the row."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from mamtra.benchmark.bench_config import Case
from mamtra.benchmark.rounds import by_name, in_turn
from mamtra.benchmark.summary import summarise
from mamtra.cli.result_rows import hand_out
from mamtra.errors import ConfigError
from mamtra.figures.provenance import provenance

Model = Annotated[
    str, typer.Option("--model", help="Whose sizes: cosyvoice2, toy, nano, or a folder.")
]
Device = Annotated[str, typer.Option("--device", help="cpu or cuda.")]
Dtype = Annotated[str, typer.Option("--dtype", help="auto, float32, bfloat16 or int8.")]
Engine = Annotated[str, typer.Option("--engine", help="auto, eager or graph.")]
Threads = Annotated[int, typer.Option("--threads", min=0, help="0 leaves it to the engine.")]
Contexts = Annotated[str, typer.Option("--contexts", help="Tokens held, such as 250,1000.")]
Batches = Annotated[str, typer.Option("--batches", help="Rows at once, such as 1,8,32.")]
Prompts = Annotated[str, typer.Option("--prompts", help="Lengths of prompts; empty for none.")]
Shapes = Annotated[
    str, typer.Option("--shapes", help="Such as 1:0,1:5,1:5-grouped,removed-12,yardstick.")
]
Seconds = Annotated[
    float, typer.Option("--seconds", min=0, help="Of speech through the whole chain; 0 for none.")
]
Rounds = Annotated[int, typer.Option("--rounds", min=1, help="Of fresh processes.")]
Steps = Annotated[int, typer.Option("--steps", min=1, help="Tokens in a timed block.")]
Repeats = Annotated[int, typer.Option("--repeats", min=1, help="Timed blocks; the median counts.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Add the row to this file.")]
Figure = Annotated[Path | None, typer.Option("--figure", help="Draw the row here.")]


def numbers(written: str) -> tuple[int, ...]:
    """Whole numbers between commas.

    Raises:
        ConfigError: something else is there.
    """
    try:
        return tuple(int(part) for part in written.split(",") if part.strip())
    except ValueError as problem:
        raise ConfigError(f"{written!r} is no list of whole numbers such as 250,1000") from problem


def names(written: str) -> list[str]:
    """Names between commas.

    Raises:
        ConfigError: there is none.
    """
    found = [part.strip() for part in written.split(",") if part.strip()]
    if not found:
        raise ConfigError("no shape was given; give some, such as --shapes 1:0,1:5")
    return found


def measured_row(
    benchmark: str, cases: Mapping[str, Case], rounds: int, reference: str | None = None
) -> dict[str, Any]:
    """Run all cases in turn, and sum up.

    Raises:
        GenerationError: a process failed.
    """
    console = Console(stderr=True)
    waiting = in_turn(cases, rounds)
    total = rounds * len(cases)
    measured = by_name(list(track(waiting, "measuring", total, console=console, transient=True)))
    import torch  # noqa: F401  # provenance tells the GPU only where torch is loaded

    first = next(iter(cases.values()))
    settings = {name: value for name, value in asdict(first).items() if name != "subject"}
    return {
        "benchmark": benchmark,
        "settings": settings,
        "rounds": rounds,
        "reference": reference,
        "lines": summarise(measured, reference),
        "provenance": provenance(first.seed, ["transformers", "fla-core"]).row(),
    }


def show(row: dict[str, Any], table: Table, output: Path | None, figure: Path | None) -> None:
    """Show the table, keep and print the row, and draw it.

    Raises:
        CorpusError: the file cannot be written.
        ConfigError: the picture cannot be written.
    """
    Console(stderr=True).print(table)
    hand_out(row, output)
    if figure is not None:
        from mamtra.figures.draw import draw

        draw(row, figure)
