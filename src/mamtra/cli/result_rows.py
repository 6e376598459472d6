"""One row of results: added to a file of such rows, and printed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mamtra.benchmark.say import append
from mamtra.errors import CorpusError


def hand_out(row: Mapping[str, Any], output: Path | None) -> None:
    """Keep a row, if there is a file for it, and print it as JSON on stdout.

    Raises:
        CorpusError: the file cannot be written.
    """
    if output is not None:
        try:
            append(output, row)
        except OSError as problem:
            raise CorpusError(f"cannot add the row to {str(output)!r}: {problem}") from problem
    print(json.dumps(row))
