"""Turn what ends a run from outside into one clear sentence: memory or disk that is full.

Both reach Python in several forms. Nothing is mended here: the last checkpoint is whole, because
files are written beside their place, and the same command goes on from it.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from mamtra.errors import TrainingError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


def is_out_of_memory(problem: BaseException) -> bool:
    """Whether an error means that memory of a GPU or of the machine was not enough."""
    if isinstance(problem, MemoryError | torch.OutOfMemoryError):
        return True
    message = str(problem).lower()
    return isinstance(problem, RuntimeError) and any(sign in message for sign in NO_MEMORY)


@contextmanager
def clear_errors(folder: Path | None) -> Iterator[None]:
    """Raise a clear error where memory or disk is full.

    Args:
        folder: where the checkpoints lie; None where nothing is kept.

    Raises:
        TrainingError: what was full, and what to do.
    """
    kept = "" if folder is None else f"the last checkpoint in {str(folder)!r} is intact: "
    try:
        yield
    except TrainingError:
        raise
    except (MemoryError, RuntimeError) as problem:
        if not is_out_of_memory(problem):
            raise
        raise TrainingError(
            f"memory is full; {kept}take smaller batches and accumulate more of them, or recompute "
            f"activations (checkpointing)"
        ) from problem
    except OSError as problem:
        if problem.errno not in FULL:
            raise
        raise TrainingError(
            f"the disk is full ({problem.strerror}); {kept}make room and start again"
        ) from problem
