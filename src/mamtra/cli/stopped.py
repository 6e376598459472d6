"""Say where a stopped run goes on, in place of typer's "Aborted"."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from mamtra.cli.signals import INTERRUPTED


@contextmanager
def stop_reported() -> Iterator[None]:
    """Print the message of an interrupt and end with the exit code of interrupted programs."""
    try:
        yield
    except KeyboardInterrupt as stopped:
        print(stopped if stopped.args else "stopped; the same command goes on", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from stopped
