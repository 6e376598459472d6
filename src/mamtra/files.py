"""Files as they are read: JSON of bounded size and depth, rows of JSON, checksums."""

import hashlib
import json
from pathlib import Path
from typing import Any

from mamtra.errors import ConfigError, MamtraError

MAX_BYTES = 1 << 20  # of a JSON file; the largest of our configs has 4 KB
MAX_DEPTH = 32  # of lists and objects inside one another


def depth_of(value: Any) -> int:
    """How deeply lists and objects lie inside one another; counts no further than is allowed."""
    depth, level = 0, [value]
    while level and depth <= MAX_DEPTH:
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner += item.values()
            elif isinstance(item, list):
                inner += item
        depth, level = depth + 1, inner
    return depth


def refuse_constant(name: str) -> float:
    """JSON has neither infinity nor not-a-number, though Python reads them."""
    raise ValueError(f"{name} is not a number of JSON")


def read_json(
    path: Path, error: type[MamtraError] = ConfigError, max_bytes: int = MAX_BYTES
) -> Any:
    """Read a JSON file of bounded size and depth.

    Args:
        path: of the file.
        error: what is raised where it cannot be read.
        max_bytes: the most that such a file can have.

    Raises:
        MamtraError: of the class ``error``: the file is missing, too large, too deep, or no JSON.
    """
    try:
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
        if len(content) > max_bytes:
            raise ValueError(f"it has more than {max_bytes:,} bytes")
        values = json.loads(content, parse_constant=refuse_constant)
        if depth_of(values) > MAX_DEPTH:
            raise RecursionError
    except RecursionError as problem:
        raise error(
            f"cannot read {str(path)!r}: lists or objects lie more than {MAX_DEPTH} deep"
        ) from problem
    except OSError as problem:
        raise error(f"cannot read {str(path)!r}: {problem.strerror or problem}") from problem
    except ValueError as problem:
        raise error(f"cannot read {str(path)!r} as JSON: {problem}") from problem
    return values


def read_rows(path: Path, error: type[MamtraError]) -> list[Any]:
    """The rows of a file of JSON lines, or the one value of a ``.json``.

    Raises:
        MamtraError: of the class ``error``: it cannot be read, or is no JSON.
    """
    try:
        text = path.read_text(encoding="utf-8")
        written = [text] if path.suffix == ".json" else text.split("\n")
        return [json.loads(row) for row in written if row.strip()]
    except (OSError, ValueError) as problem:
        raise error(f"cannot read rows from {str(path)!r}: {problem}") from problem


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
