"""SIGINT, SIGTERM and SIGHUP end a command in the same way: what was finished is kept.

Each is raised as ``KeyboardInterrupt``, which every command that keeps its work knows. A burst (a
key held down, a shell that signals twice) counts once, or the second would break off the keeping.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

import typer

INTERRUPTED = 130  # 128 + SIGINT, as shells report it
BURST_SECONDS = 1.0
NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP


@dataclass(slots=True)
class Received:
    """The first signal that came, 0 for none."""

    signal: int = 0

    @property
    def exit_code(self) -> int:
        """128 + the signal, as shells report it; 0 if none came."""
        return 128 + self.signal if self.signal else 0


@contextmanager
def interrupting_signals() -> Iterator[Received]:
    """Raise ``KeyboardInterrupt`` for all of them inside of the block; report which one came.

    A signal that was ignored before (``nohup``) stays ignored. Other threads than the main one, and
    processes forked from this one, keep what the system does.
    """
    received = Received()
    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    process, last = os.getpid(), -BURST_SECONDS

    def interrupt(number: int, _: FrameType | None) -> None:
        nonlocal last
        if os.getpid() != process:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        now = time.monotonic()
        burst, last = now - last < BURST_SECONDS, now
        if not burst:
            received.signal = received.signal or number
            raise KeyboardInterrupt

    numbers = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, interrupt)
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def stop_reported() -> Iterator[None]:
    """Print the message of an interrupt and end with the exit code of interrupted programs."""
    try:
        yield
    except KeyboardInterrupt as stopped:
        print(stopped if stopped.args else "stopped; the same command goes on", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from stopped
