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
        ModelError: the place is taken.
    """
    if not target.exists():
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
    partial = target.with_name(f".{target.name}.partial")
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
