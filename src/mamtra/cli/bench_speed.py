"""``mamtra bench speed``: what a token costs after any length, and how long each stage takes."""

from mamtra.benchmark.bench_config import OWN, Case
from mamtra.cli.bench_run import (
    Batches,
    Contexts,
    Device,
    Dtype,
    Engine,
    Figure,
    Model,
    Output,
    Prompts,
    Repeats,
    Rounds,
    Seconds,
    Shapes,
    Steps,
    Threads,
    measured_row,
    names,
    numbers,
    show,
)
from mamtra.cli.bench_tables import speed_table


def bench_speed(
    model: Model = "cosyvoice2",
    shapes: Shapes = OWN,
    device: Device = "cpu",
    dtype: Dtype = "auto",
    engine: Engine = "auto",
    threads: Threads = 0,
    contexts: Contexts = "250,1000,4000,16000",
    batches: Batches = "1,8,32",
    prompts: Prompts = "100,1000",
    seconds: Seconds = 2.0,
    steps: Steps = 4,
    repeats: Repeats = 3,
    rounds: Rounds = 1,
    output: Output = None,
    figure: Figure = None,
) -> None:
    """Time the language model after any length, and the stages of the chain.

    Weights are random, so no file is needed; memories are filled, not read, so that a long
    context takes no longer to reach than a short one.

    mamtra bench speed --shapes 1:0,1:5 --device cuda -o benchmarks/results/speed.jsonl
    """
    case = Case(
        model=model,
        device=device,
        dtype=dtype,
        engine=engine,
        threads=threads,
        contexts=numbers(contexts),
        batches=numbers(batches),
        prompts=numbers(prompts),
        seconds=seconds,
        steps=steps,
        repeats=repeats,
    )
    row = measured_row("speed", case.of_each(names(shapes)), rounds)
    show(row, speed_table(row), output, figure)
