"""Cases measured in turn, each in a fresh process, and what their rounds say together.

Every round runs each case once, so that a busy spell of the machine meets them all; ratios are
taken within a round, and what is reported is their median with the least and the most.
"""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mamtra.benchmark.bench_config import Case
from mamtra.benchmark.say import run_python
from mamtra.errors import GenerationError

Row = dict[str, Any]
RunCase = Callable[[Case], Row]
Spread = dict[str, float]


def rounded(value: float) -> float:
    """Five digits: more would only pretend."""
    return float(f"{value:.5g}")


def spread(values: Sequence[float]) -> Spread:
    """Median, least and most of a few measurements."""
    return {
        "median": rounded(statistics.median(values)),
        "least": rounded(min(values)),
        "most": rounded(max(values)),
    }


def run_case(case: Case) -> Row:
    """Measure a case in a process of its own.

    Raises:
        GenerationError: the process failed; the message names the case and the reason.
    """
    try:
        return run_python(["-m", "mamtra.benchmark.worker", case.written()]).told
    except GenerationError as problem:
        raise GenerationError(f"measuring {case.subject} of {case.model}: {problem}") from problem


def in_turn(cases: Mapping[str, Case], rounds: int, run: RunCase = run_case) -> Iterator[tuple]:
    """Measure all cases once a round; yields the round, the case's name and its row.

    Memory does not depend on what else the machine does: it is watched in the first round only.
    """
    for number in range(rounds):
        for name, case in cases.items():
            yield number, name, run(case if number == 0 else replace(case, spoken=0))


def value_at(row: Row, path: Sequence[str | int]) -> float | None:
    """A number deep inside a row; None where it is not there."""
    found: Any = row
    for step in path:
        if isinstance(found, Mapping):
            found = found.get(step)
        elif isinstance(found, Sequence) and isinstance(step, int) and step < len(found):
            found = found[step]
        else:
            return None
    return float(found) if isinstance(found, int | float) else None


def spread_at(rows: Sequence[Row], path: Sequence[str | int]) -> Spread | None:
    """Median, least and most of a number over rounds; None where no round has it."""
    found = [value for value in (value_at(row, path) for row in rows) if value is not None]
    return spread(found) if found else None


def ratio_at(
    rows: Sequence[Row], others: Sequence[Row], path: Sequence[str | int]
) -> Spread | None:
    """The same of a number's ratio to another case's, taken within each round."""
    pairs = [
        (value_at(row, path), value_at(other, path))
        for row, other in zip(rows, others, strict=False)
    ]
    found = [mine / theirs for mine, theirs in pairs if mine is not None and theirs]
    return spread(found) if found else None


def by_name(measured: Sequence[tuple]) -> dict[str, list[Row]]:
    """The rows of each case, in the order of rounds."""
    found: dict[str, list[Row]] = {}
    for _, name, row in measured:
        found.setdefault(name, []).append(row)
    return found
