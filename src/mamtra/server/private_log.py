"""A log that never quotes what clients say: errors are written without their messages.

A message may hold words of the text that caused it. The log tells an error's class and the lines of
code where it was raised; the client is told the message.
"""

import asyncio
import logging
import sys
import traceback
from types import TracebackType
from typing import Any

log = logging.getLogger("mamtra.server")
Raised = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class PrivateFormatter(logging.Formatter):
    """Writes an exception, and those that led to it, as classes and lines of code."""

    def formatException(self, ei: Raised) -> str:  # noqa: N802 (logging's name)
        """Where each exception of the chain was raised, the first one first."""
        told, error = list[str](), ei[1]
        while error is not None:
            place = "".join(traceback.format_tb(error.__traceback__))
            told.append(f"{place}{type(error).__module__}.{type(error).__qualname__}")
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return "\n".join(reversed(told))


def begin_log(*, quiet: bool) -> None:
    """Let all loggers of this process write to standard error.

    Args:
        quiet: warnings and errors only.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PrivateFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.WARNING if quiet else logging.INFO, handlers=[handler])


def note_lost_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log an error that nobody awaited; asyncio itself would write its message."""
    del loop
    log.error("%s", context["message"], exc_info=context.get("exception"))
