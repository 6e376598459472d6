"""A folder that is there whole or not at all: filled beside its place, renamed at the end."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mamtra.errors import ModelError


def check_vacant(target: Path) -> None:
    """Refuse a place where something lies already; an empty folder is no hindrance.

    Raises:
        ModelError: the place is taken, or no folder can have this name.
    """
    try:
        str(target).encode()  # files of weights have no other names
        exists = target.exists()
    except UnicodeEncodeError as problem:
        raise ModelError(
            f"cannot write the folder {str(target)!r}: the name is not UTF-8; give another name"
        ) from problem
    except OSError as problem:
        raise ModelError(
            f"cannot write the folder {str(target)!r}: {str(problem.strerror).lower()}; give "
            f"another name"
        ) from problem
    if not exists:
        return
    if not target.is_dir():
        raise ModelError(f"{str(target)!r} is a file; give the name of a folder that is not there")
    if any(target.iterdir()):
        raise ModelError(f"the folder {str(target)!r} exists and is not empty; give another name")


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Give a hidden folder to fill; it takes its name when the ``with`` block ends well.

    If the block fails or is interrupted, nothing stays behind.

    Raises:
        ModelError: the place is taken, or cannot be written.
    """
    check_vacant(target)
    target = target.resolve()
    # a name of 255 bytes is the most that common file systems take
    stem = target.name.encode()[:200].decode(errors="ignore")
    partial = target.with_name(f".{stem}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)  # what a killed run may have left
        partial.mkdir(parents=True)
        yield partial
        if target.is_dir():
            target.rmdir()
        os.replace(partial, target)
    except OSError as problem:
        raise ModelError(f"cannot write the folder {str(target)!r}: {problem}") from problem
    finally:
        shutil.rmtree(partial, ignore_errors=True)
