"""``mamtra bench memory``: peak memory by part, and states as planned and as held."""

from typing import Annotated

import typer

from mamtra.benchmark.bench_config import YARDSTICK, Case
from mamtra.cli.bench_run import (
    Batches,
    Contexts,
    Device,
    Dtype,
    Engine,
    Figure,
    Model,
    Output,
    Seconds,
    Shapes,
    Threads,
    measured_row,
    names,
    numbers,
    show,
)
from mamtra.cli.bench_tables import memory_table


def bench_memory(
    model: Model = "cosyvoice2",
    shapes: Shapes = "yardstick,1:0,1:1,1:5",
    device: Device = "cpu",
    dtype: Dtype = "auto",
    engine: Engine = "auto",
    threads: Threads = 0,
    contexts: Contexts = "4096",
    batches: Batches = "1,32",
    seconds: Seconds = 0.0,
    spoken: Annotated[
        int, typer.Option("--spoken", min=1, help="Tokens spoken while memory is watched.")
    ] = 50,
    output: Output = None,
    figure: Figure = None,
) -> None:
    """Measure peak memory by part while a text is spoken, each shape in a fresh process.

    Models are loaded from a folder of random weights, which is written for it and deleted. With
    --seconds, decoder and vocoder speak too (in float32, the yardstick's as well).

    mamtra bench memory --shapes yardstick,1:1,1:5 -o benchmarks/results/memory.jsonl
    """
    case = Case(
        model=model,
        device=device,
        dtype=dtype,
        engine=engine,
        threads=threads,
        contexts=numbers(contexts),
        batches=numbers(batches),
        seconds=seconds,
        spoken=spoken,
        steps=0,
    )
    cases = case.of_each(names(shapes))
    reference = YARDSTICK if YARDSTICK in cases else None
    row = measured_row("memory", cases, 1, reference)
    show(row, memory_table(row), output, figure)
