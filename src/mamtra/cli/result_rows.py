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
