"""Standard streams that may be closed, full, or read by nobody any more."""

import contextlib
import errno
import io
import os
import sys
from typing import Any

STANDARD = (("stdin", os.O_RDONLY), ("stdout", os.O_WRONLY), ("stderr", os.O_WRONLY))


class ClosedOutput(io.TextIOBase):
    """Standard output of a process that was started without one: an error where it is needed."""

    @property
    def buffer(self) -> Any:
        """The same for bytes."""
        return self

    def write(self, _: Any, /) -> int:
        """Refuse.

        Raises:
            OSError: always.
        """
        raise OSError(errno.EBADF, "it is closed", "standard output")


def open_streams() -> None:
    """Give this process whatever standard stream it was started without.

    The numbers 0 to 2 are taken in any case, else the next file opened would be a standard stream.
    """
    for number, (name, way) in enumerate(STANDARD):
        try:
            os.fstat(number)
        except OSError:
            with contextlib.suppress(OSError):
                os.open(os.devnull, way)
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            closed = ClosedOutput() if name == "stdout" else open(os.devnull, mode)  # noqa: SIM115
            setattr(sys, name, closed)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def flush_output() -> None:
    """Write what is still waiting.

    Raises:
        OSError: standard output takes no more.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as problem:
        raise OSError(problem.errno, problem.strerror, "standard output") from problem


def silence_output() -> None:
    """Drop what a failing standard output did not take, or Python would complain when it ends."""
    stream = getattr(sys.stdout, "wrapped", sys.stdout)  # typer wraps one that nobody reads
    try:
        stream.flush()
    except (OSError, ValueError):
        if stream is sys.__stdout__ and stream is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def complain(message: str) -> None:
    """One line on standard error, if that takes it."""
    with contextlib.suppress(OSError, ValueError):
        print(message, file=sys.stderr, flush=True)
