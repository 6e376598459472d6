"""Ctrl-C and SIGTERM end a run after the step it is in, with a checkpoint; a second one at once.

Not where several processes train as one: they would stop at different steps and wait for each other
for ever. There the last checkpoint is what the run goes on from.
"""

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from mamtra.training.workers import world

SIGNALS = (signal.SIGINT, signal.SIGTERM)

logger = logging.getLogger(__name__)


class StopRequest:
    """Whether somebody asked the run to stop."""

    def __init__(self) -> None:
        self.asked = False
        self.before: dict[int, Any] = {}

    def ask(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        del number, frame
        self.asked = True
        self.restore()
        logger.warning("stopping after this step; once more stops at once")

    def restore(self) -> None:
        """Let the signals do again what they did before."""
        for number, handler in self.before.items():
            signal.signal(number, handler)


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Watch for signals while the block runs; in the main thread of a single process only."""
    request = StopRequest()
    if world() == 1 and threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            if (
                signal.getsignal(number) != signal.SIG_IGN
            ):  # as of a job that runs in the background
                request.before[number] = signal.signal(number, request.ask)
    try:
        yield request
    finally:
        request.restore()
