"""``mamtra bench say``: how fast this machine speaks a sentence, from process to file."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from mamtra.benchmark.say import SENTENCE, benchmark, row
from mamtra.checkpoints.locate import DEFAULT, locate
from mamtra.cli.result_rows import hand_out
from mamtra.figures.provenance import provenance

MEBIBYTE = 2**20


def cell(figures: dict[str, float]) -> str:
    """Median, least and most."""
    return f"{figures['median']:.3f} ({figures['least']:.3f} to {figures['most']:.3f})"


def process_table(line: dict[str, Any]) -> Table:
    """What each process took."""
    drawn = Table(
        title=f"{line['words']} words, {line['audio_seconds']['median']:.2f} s of speech",
        box=SIMPLE_HEAD,
    )
    for name in ("process", "seconds", "CPU seconds", "MiB at most"):
        drawn.add_column(name, justify="left" if name == "process" else "right")
    for name, seconds in line["seconds"].items():
        peak = f"{line['peak_bytes'][name] / MEBIBYTE:.0f}"
        drawn.add_row(name, cell(seconds), cell(line["cpu_seconds"][name]), peak)
    return drawn


def ratio_table(line: dict[str, Any]) -> Table:
    """What can be compared between machines."""
    machine = line["provenance"]["machine"]
    where = f"{machine['cpu']}, {machine['cores']} cores, {machine['threads']} threads"
    drawn = Table(
        caption=f"median (least to most) of {line['runs']} rounds, {where}", box=SIMPLE_HEAD
    )
    drawn.add_column("ratio")
    drawn.add_column("", justify="right")
    for name, factor in line["real_time_factor"].items():
        drawn.add_row(f"real-time factor, {name.replace('_', ' ')}", cell(factor))
    for name, ratio in line["times_import_torch"].items():
        drawn.add_row(f"{name}, times import torch", cell(ratio))
    return drawn


def bench_say(
    text: Annotated[str, typer.Option("--text", help="What to say.")] = SENTENCE,
    model: Annotated[str, typer.Option("--model", help="A built-in model or a folder.")] = DEFAULT,
    voice: Annotated[str | None, typer.Option("--voice", help="A voice of the model.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of what is said.")] = 0,
    runs: Annotated[int, typer.Option("--runs", min=1, help="Rounds, after one to warm up.")] = 5,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Add the row to this file.")
    ] = None,
) -> None:
    """Time whole processes of mamtra say beside the import of torch alone.

    mamtra bench say --runs 5 -o benchmarks/results/say.jsonl
    """
    locate(model)
    console = Console(stderr=True)
    rounds = benchmark(model, text, voice, seed, runs)
    measured = list(track(rounds, "timing", total=runs, console=console, transient=True))
    settings = {"model": Path(model).name, "voice": voice, "text": text}
    line = row(settings, measured) | {"provenance": provenance(seed).row()}
    console.print(process_table(line), ratio_table(line))
    hand_out(line, output)
