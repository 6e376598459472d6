"""The one form of a benchmark's row.

    benchmark    speak, stream, decode, long, flow or stages
    settings     what was asked for
    rounds       how often
    results      by target (a process, a shape of the backbone, a stage): its figures; what was
                 measured several times is median, least and most
    provenance   commit, machine, versions, seed, date

Rows older than this form were converted into it, and say so under ``converted``.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mamtra.errors import CorpusError
from mamtra.figures.provenance import provenance

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
        "provenance": provenance(settings.get("seed"), packages).row(),
    }


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a file.

    Raises:
        CorpusError: it cannot be read, or a line is no row.
    """
    try:
        rows = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    except (OSError, ValueError) as problem:
        raise CorpusError(f"cannot read rows from {str(path)!r}: {problem}") from problem
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict) or any(key not in row for key in KEYS):
            raise CorpusError(
                f"line {number} of {str(path)!r} is no row of mamtra bench, which has "
                f"{', '.join(KEYS)}"
            )
    if not rows:
        raise CorpusError(f"{str(path)!r} holds no row; measure one with mamtra bench ... -o")
    return rows
