"""Several measurements of one thing as median, least and most, wherever it lies in a row."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

Spread = dict[str, float]


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
