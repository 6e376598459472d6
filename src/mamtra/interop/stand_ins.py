"""What may lie where a published file should: nothing, a Git LFS pointer, a web page."""

from collections.abc import Iterable
from pathlib import Path

from mamtra.checkpoints.shards import LFS
from mamtra.errors import ModelError

HEAD_BYTES = 256  # of a file that tell what it is


def told_by(head: bytes) -> str | None:
    """What stands in for a file, by its first bytes, and what to do; None if nothing does."""
    if not head:
        return "it is empty; fetch it again"
    if head.startswith(LFS):
        return (
            "it is a Git LFS pointer, not the file; run git lfs pull in its folder, "
            "or fetch the file itself"
        )
    if head.lstrip()[:1] == b"<":
        return "it is a web page, not the file; fetch the file itself"
    return None


def check_copied(files: Iterable[Path]) -> None:
    """Refuse files that cannot be what they are called, before they are copied as they are.

    Raises:
        ModelError: the first such file, or one that cannot be read.
    """
    for path in files:
        try:
            with path.open("rb") as file:
                told = told_by(file.read(HEAD_BYTES))
        except OSError as problem:
            told = f"{str(problem.strerror).lower()}; make it readable, or fetch it again"
        if told:
            raise ModelError(f"cannot take {str(path)!r}: {told}")
