"""What a language model costs: speed, memory and the cost of length, beside a baseline.

    targets   shapes of the backbone (1:0, 1:5, AMMM..., removed-12) with random weights on one of
              our engines, and ``baseline``: how the original runs its own
    round     every target once, each in a fresh process, so that a busy spell of the machine meets
              them all; ratios to the baseline are taken within a round
    result    of each target: median, least and most of the rounds

``worker.py`` is the process, ``config.py`` its settings, ``timing.py`` what it times.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mamtra.benchmark.decode.config import BenchConfig
from mamtra.benchmark.process import run_python
from mamtra.benchmark.row import Spread, merged, ratio, spread, value_at
from mamtra.errors import GenerationError

Row = dict[str, Any]
RunConfig = Callable[[BenchConfig], Row]

RATE, CPU_RATE = "tokens_per_second", "tokens_per_cpu_second"
STEP, CPU_STEP = "seconds_per_step", "cpu_seconds_per_step"


def run_config(config: BenchConfig) -> Row:
    """Measure one target in a process of its own.

    Raises:
        GenerationError: the process failed; the message names the target and the reason.
    """
    try:
        return run_python(["-m", "mamtra.benchmark.decode.worker", config.written()]).printed
    except GenerationError as problem:
        raise GenerationError(
            f"measuring {config.target} of {config.model}: {problem}"
        ) from problem


def in_turn(
    configs: Mapping[str, BenchConfig], rounds: int, run: RunConfig = run_config
) -> Iterator[tuple[str, Row]]:
    """Measure all targets once a round; yields the target's name and its row.

    Memory does not depend on what else the machine does: it is watched in the first round only.
    """
    for number in range(rounds):
        for name, config in configs.items():
            yield name, run(config if number == 0 else replace(config, spoken=0))


def growth_with_length(rows: Sequence[Row], step: str) -> dict[str, Spread]:
    """For each batch: a step's seconds after the longest context over those after the shortest."""
    found: dict[str, Spread] = {}
    cells = rows[0]["decode"]
    for batch in sorted({cell["batch"] for cell in cells}):
        timed = [n for n, cell in enumerate(cells) if cell["batch"] == batch and step in cell]
        if len(timed) < 2:
            continue
        first = min(timed, key=lambda index: cells[index]["context"])
        last = max(timed, key=lambda index: cells[index]["context"])
        late = [value_at(row, ("decode", last, step)) for row in rows]
        early = [value_at(row, ("decode", first, step)) for row in rows]
        found[str(batch)] = spread([b / a for a, b in zip(early, late, strict=True) if a and b])
    return found


def with_ratios(result: Row, rows: Sequence[Row], others: Sequence[Row]) -> Row:
    """Add how a target's speed and memory stand to the baseline's.

    Args:
        result: its merged rounds, which are changed.
        rows: its rounds.
        others: those of the baseline, in the same order; none leaves the ratios out.
    """
    for kind in ("decode", "prefill"):
        for index, cell in enumerate(result[kind]):
            ratios = {
                "times_baseline": ratio(rows, others, (kind, index, RATE)),
                "times_baseline_in_cpu_seconds": ratio(rows, others, (kind, index, CPU_RATE)),
            }
            cell |= {name: value for name, value in ratios.items() if value is not None}
    if "memory" in result:
        ratios = {
            "of_baseline": ratio(rows, others, ("memory", "peak_speaking")),
            "device_of_baseline": ratio(rows, others, ("memory", "device", "peak_allocated")),
        }
        result["memory"] |= {name: value for name, value in ratios.items() if value is not None}
    growth = {
        "growth_with_length": growth_with_length(rows, STEP),
        "growth_in_cpu_seconds": growth_with_length(rows, CPU_STEP),
    }
    return result | {name: value for name, value in growth.items() if value}


def summarise(measured: Sequence[tuple[str, Row]], baseline: str | None = None) -> dict[str, Row]:
    """The result of every target, with ratios to ``baseline`` if that was measured.

    Args:
        measured: what ``in_turn`` yielded.
        baseline: a target's name.
    """
    rows: dict[str, list[Row]] = {}
    for name, row in measured:
        rows.setdefault(name, []).append(row)
    others = rows.get(baseline or "", [])
    return {name: with_ratios(merged(own), own, others) for name, own in rows.items()}
