"""The one form of a benchmark's row.

    benchmark    speak, stream, long, stages, decode, flow, or a part of gpu
    settings     what was asked for
    rounds       how often
    results      by target (a process, a shape of the backbone, a stage): its figures; what was
                 measured several times is median, least and most
    provenance   commit, machine, versions, seed, date

Rows older than this form were converted into it, and say so under ``converted``.
"""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mamtra import files
from mamtra.errors import ConfigError, CorpusError
from mamtra.figures.provenance import provenance

Spread = dict[str, float]
KEYS = ("benchmark", "settings", "rounds", "results", "provenance")


def bench_row(
    benchmark: str,
    settings: Mapping[str, Any],
    rounds: int,
    results: Mapping[str, Any],
    packages: Sequence[str] = (),
) -> dict[str, Any]:
    """A row of what was just measured.

    Args:
        benchmark: which one.
        settings: with ``seed``, if there is one.
        rounds: how often it was measured.
        results: figures by target.
        packages: further packages whose versions matter.
    """
    return {
        "benchmark": benchmark,
        "settings": dict(settings),
        "rounds": rounds,
        "results": dict(results),
        "provenance": provenance(settings.get("seed"), packages),
    }


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a file.

    Raises:
        CorpusError: it cannot be read, or a line is no row.
    """
    rows = files.read_rows(path, CorpusError)
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict) or any(key not in row for key in KEYS):
            raise CorpusError(
                f"line {number} of {str(path)!r} is no row of mamtra bench, which has "
                f"{', '.join(KEYS)}"
            )
    if not rows:
        raise CorpusError(f"{str(path)!r} holds no row; measure one with mamtra bench ... -o")
    return rows


def kept_row(path: Path, number: int) -> dict[str, Any]:
    """A row of a file: its number from 1, or 0 for the last.

    Raises:
        CorpusError: the file cannot be read, or a line is no row.
        ConfigError: there are fewer rows.
    """
    rows = read_rows(path)
    if not 0 <= number <= len(rows):
        raise ConfigError(f"{str(path)!r} has {len(rows)} rows; --row {number} is none of them")
    return rows[number - 1]


def rounded(value: float | int) -> float:
    """Five digits: more would only pretend."""
    return float(f"{value:.5g}")


def spread(values: Sequence[float | int]) -> Spread:
    """Median, least and most of a few measurements."""
    return {
        "median": rounded(statistics.median(values)),
        "least": rounded(min(values)),
        "most": rounded(max(values)),
    }


def merged(rounds: Sequence[Any]) -> Any:
    """Rows of several rounds as one: decimal numbers become spreads, what is equal stays.

    Dictionaries and lists are merged entry by entry; an entry that only some rounds have is merged
    over those. Whole numbers (bytes, counts) become a spread only where rounds differ.
    """
    first = rounds[0]
    if isinstance(first, Mapping):
        names = dict.fromkeys(name for one in rounds for name in one)
        return {name: merged([one[name] for one in rounds if name in one]) for name in names}
    if isinstance(first, list):
        return [merged(entries) for entries in zip(*rounds, strict=True)]
    if isinstance(first, float) or (
        isinstance(first, int) and not isinstance(first, bool) and any(v != first for v in rounds)
    ):
        return spread([value for value in rounds if value is not None])
    return first


def value_at(row: Any, path: Sequence[str | int]) -> float | None:
    """A number deep inside a row; None where it is not there."""
    found = row
    for step in path:
        if isinstance(found, Mapping):
            found = found.get(step)
        elif isinstance(found, Sequence) and isinstance(step, int) and step < len(found):
            found = found[step]
        else:
            return None
    return float(found) if isinstance(found, int | float) else None


def ratio(rows: Sequence[Any], others: Sequence[Any], path: Sequence[str | int]) -> Spread | None:
    """A number over the same number of another target, taken within each round."""
    pairs = [
        (value_at(row, path), value_at(other, path))
        for row, other in zip(rows, others, strict=False)
    ]
    found = [mine / theirs for mine, theirs in pairs if mine is not None and theirs]
    return spread(found) if found else None
