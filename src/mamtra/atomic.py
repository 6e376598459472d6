"""Files that are whole or not there: written under a hidden name beside, flushed, renamed.

A kill, a full disk or an error at any moment leaves what was there before as it was. What a killed
process leaves behind has a name that ``leftovers`` finds.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mamtra.errors import MamtraError

PARTIAL = ".partial"


def partial_path(path: Path) -> Path:
    """The hidden name beside a file that this process writes it under."""
    # a name of 255 bytes is the most that common file systems take
    stem = path.name.encode()[:200].decode(errors="ignore")
    return path.with_name(f".{stem}.{os.getpid()}{PARTIAL}")


def check_place(path: Path, error: type[MamtraError] = MamtraError) -> None:
    """Make sure that a file can be written, before any work is spent on it; no folder is made.

    Raises:
        MamtraError: of the class ``error``: no file can have this name, it is a folder, or there is
            no folder for it or no permission in that.
    """
    refused = f"cannot write {str(path)!r}"
    try:
        str(path).encode()
        path.stat()
    except UnicodeEncodeError as problem:
        raise error(f"{refused}: the name is not UTF-8") from problem
    except ValueError as problem:
        raise error(f"{refused}: no file has a NUL in its name") from problem
    except (FileNotFoundError, NotADirectoryError):
        pass  # a new file, or the folder is what is missing
    except OSError as problem:
        reason = str(problem.strerror).lower()
        raise error(f"{refused}: {reason}; give another name") from problem
    if path.is_dir():
        raise error(f"{refused}: it is a folder")
    if not path.parent.is_dir():
        raise error(f"{refused}: there is no folder {str(path.parent)!r}")
    if not os.access(path.parent, os.W_OK):
        raise error(f"{refused}: no permission in {str(path.parent)!r}")


def leftovers(folder: Path) -> list[Path]:
    """Hidden files that killed processes left in a folder."""
    return sorted(folder.glob(f".*{PARTIAL}"))


@contextmanager
def written_beside(path: Path, error: type[MamtraError] = MamtraError) -> Iterator[Path]:
    """Give a hidden path to write; when the ``with`` block ends well, it takes the file's name.

    Args:
        path: of the finished file; its folder is made.
        error: what is raised where the system refuses.

    Raises:
        MamtraError: of the class ``error``: the file cannot be written; what was there before is
            as it was.
    """
    beside = partial_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as problem:
        reason = problem.strerror or problem  # without Python's numbers
        raise error(
            f"cannot write {str(path)!r}: {reason}; what was there before is intact"
        ) from problem
    finally:
        with suppress(OSError):  # renamed already, or its folder is none
            beside.unlink()


def write_file(path: Path, content: bytes | str, error: type[MamtraError] = MamtraError) -> None:
    """Write a whole file.

    Raises:
        MamtraError: of the class ``error``: the file cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    with written_beside(path, error) as beside:
        beside.write_bytes(data)


def append_row(path: Path, row: Mapping[str, Any], error: type[MamtraError] = MamtraError) -> None:
    """Add a JSON line to a file of rows, which is made if it does not exist.

    Raises:
        MamtraError: of the class ``error``: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(json.dumps(row) + "\n")
    except OSError as problem:
        raise error(f"cannot add the row to {str(path)!r}: {problem}") from problem


def write_json(
    path: Path, values: Any, indent: int | None = None, error: type[MamtraError] = MamtraError
) -> None:
    """Write values as JSON, with a line break at the end.

    Raises:
        MamtraError: of the class ``error``: the file cannot be written.
    """
    write_file(path, json.dumps(values, indent=indent) + "\n", error)
