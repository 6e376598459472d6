"""``mamtra bench stream``: how soon speech is heard, and what streaming costs."""

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
    from mamtra.benchmark.stream import Round

ROWS = {
    "first_audio_seconds": "seconds to the first samples",
    "say_seconds": "seconds of say",
    "first_audio_of_say": "first samples, share of say",
    "stream_of_say": "whole stream, times say",
    "real_time_factor": "real-time factor of the stream",
    "longest_wait_seconds": "longest wait of a player, seconds",
}


def stream_table(line: dict[str, Any]) -> Table:
    """Median, least and most of each figure."""
    machine = line["provenance"]["machine"]
    drawn = Table(
        title=f"{line['audio_seconds']['median']:.2f} s of speech in {line['pieces']} pieces",
        caption=f"{line['runs']} rounds, {machine['cpu']}, {machine['threads']} threads",
        box=SIMPLE_HEAD,
    )
    drawn.add_column("")
    for name in ("median", "least", "most"):
        drawn.add_column(name, justify="right")
    for name, told in ROWS.items():
        drawn.add_row(told, *(f"{line[name][part]:.3f}" for part in ("median", "least", "most")))
    return drawn


def bench_stream(
    text: Annotated[str | None, typer.Option("--text", help="What to say.")] = None,
    model: Annotated[str, typer.Option("--model", help="A built-in model or a folder.")] = DEFAULT,
    voice: Annotated[str | None, typer.Option("--voice", help="A voice of the model.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of what is said.")] = 0,
    runs: Annotated[int, typer.Option("--runs", min=1, help="Rounds, after one to warm up.")] = 5,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Add the row to this file.")
    ] = None,
) -> None:
    """Time the first samples of a stream beside a whole say, in one process.

    mamtra bench stream --runs 5 -o benchmarks/results/stream.jsonl
    """
    locate(model)
    console = Console(stderr=True)

    def watch(rounds: "Iterable[Round]") -> "Iterable[Round]":
        return track(rounds, "timing", total=runs, console=console, transient=True)

    # torch loads here
    from mamtra.benchmark.stream import TEXT, measure
    from mamtra.synthesis.synthesizer import load

    figures = measure(load(model), text or TEXT, voice, seed, runs, watch)
    line = figures | {"provenance": provenance(seed).row()}
    console.print(stream_table(line))
    hand_out(line, output)
