"""``mamtra bench compare``: every shape beside how the original runs, in one run."""

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
    Prompts,
    Repeats,
    Rounds,
    Shapes,
    Steps,
    Threads,
    measured_row,
    names,
    numbers,
    show,
)
from mamtra.cli.bench_tables import compare_table

SUBJECTS = "yardstick,1:0,1:1,1:3,1:5,1:11,1:5-grouped,removed-12"
SPOKEN = 25  # tokens spoken while memory is watched


def bench_compare(
    model: Model = "cosyvoice2",
    shapes: Shapes = SUBJECTS,
    device: Device = "cpu",
    dtype: Dtype = "auto",
    engine: Engine = "auto",
    threads: Threads = 0,
    contexts: Contexts = "250",
    batches: Batches = "1",
    prompts: Prompts = "100",
    steps: Steps = 4,
    repeats: Repeats = 4,
    rounds: Rounds = 3,
    output: Output = None,
    figure: Figure = None,
) -> None:
    """Compare teacher, hybrids, rival and the original's way of running, in turn on one machine.

    The yardstick needs transformers (the extra bench); it is float32 whatever the others are.

    mamtra bench compare --rounds 3 -o benchmarks/results/compare.jsonl --figure compare.png
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
        spoken=SPOKEN,
        steps=steps,
        repeats=repeats,
    )
    cases = case.of_each(names(shapes))
    reference = YARDSTICK if YARDSTICK in cases else next(iter(cases))
    row = measured_row("compare", cases, rounds, reference)
    show(row, compare_table(row), output, figure)
