"""Rows of results: one JSON line each, added to a file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mamtra.errors import CorpusError


def add_row(row: Mapping[str, Any], path: Path) -> None:
    """Add a row to a file of rows, which is made if it does not exist.

    Raises:
        CorpusError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(json.dumps(row) + "\n")
    except OSError as problem:
        raise CorpusError(f"cannot add the row to {str(path)!r}: {problem}") from problem


def hand_out(row: Mapping[str, Any], output: Path | None) -> None:
    """Keep a row, if there is a file for it, and print it as JSON on stdout."""
    if output is not None:
        add_row(row, output)
    print(json.dumps(row))
