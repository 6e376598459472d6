"""``mamtra bench long``: memory and speed over a chapter, from its first piece to its last."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from mamtra.checkpoints.locate import DEFAULT, locate
from mamtra.cli.result_rows import hand_out
from mamtra.figures.provenance import provenance

if TYPE_CHECKING:
    from mamtra.synthesis.speech import Speech

MEBIBYTE = 2**20


def long_table(line: dict[str, Any]) -> Table:
    """Memory as the chapter grows."""
    factors = ", ".join(f"{part} {value:.3f}" for part, value in line["real_time_factor"].items())
    drawn = Table(
        title=f"{line['pieces']} pieces, {line['audio_seconds']:.0f} s of speech",
        caption=f"real-time factor: {factors}".replace("_", " "),
        box=SIMPLE_HEAD,
    )
    drawn.add_column("after")
    drawn.add_column("MiB held", justify="right")
    for place, held in line["resident_bytes"].items():
        told = "unknown" if held is None else f"{held / MEBIBYTE:.1f}"
        drawn.add_row(place.replace("_", " "), told)
    return drawn


def bench_long(
    sentences: Annotated[int, typer.Option("--sentences", min=1, help="Of the chapter.")] = 40,
    model: Annotated[str, typer.Option("--model", help="A built-in model or a folder.")] = DEFAULT,
    voice: Annotated[str | None, typer.Option("--voice", help="A voice of the model.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of what is said.")] = 0,
    state: Annotated[str, typer.Option("--state", help="fresh or carry.")] = "fresh",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Add the row to this file.")
    ] = None,
) -> None:
    """Speak a chapter, and tell memory and speed as it grows.

    mamtra bench long --sentences 40 -o benchmarks/results/long.jsonl
    """
    locate(model)
    console = Console(stderr=True)

    def watch(spoken: "Iterable[Speech]", pieces: int) -> "Iterable[Speech]":
        return track(spoken, "speaking", total=pieces, console=console, transient=True)

    # torch loads here
    from mamtra.benchmark.long import measure
    from mamtra.synthesis.synthesizer import load

    figures = measure(load(model), sentences, voice, seed, state, watch)
    line = figures | {"provenance": provenance(seed).row()}
    console.print(long_table(line))
    hand_out(line, output)
