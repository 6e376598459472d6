"""Connections whose client reads nothing are dropped; uvicorn itself would wait for ever.

What is spoken is cut off sooner (``Ticket.forsaken``): that frees the slot, and this the connection
and all that waits to be sent by it. Between program and client lie buffers of the system, which a
client that reads slowly empties in large steps, hence the longer time.
"""

import asyncio
from typing import Any

STEPS = 4  # times as long as a text waits for its reader


def dropping(protocol: Any, seconds: float) -> Any:
    """A protocol of uvicorn that drops a connection of which nothing is read for so long.

    Args:
        protocol: for HTTP or WebSockets.
        seconds: without any progress, while more waits than may.
    """

    class Dropping(protocol):
        """The protocol, with a limit for readers."""

        reading: asyncio.TimerHandle | None = None
        unread = 0  # bytes, when last looked

        def pause_writing(self) -> None:
            """More waits to be sent than may."""
            super().pause_writing()
            self.watch()

        def watch(self) -> None:
            """Look again later."""
            self.unread = self.transport.get_write_buffer_size()
            self.reading = asyncio.get_running_loop().call_later(seconds, self.look)

        def look(self) -> None:
            """Drop the connection if nothing was read since the last look."""
            if self.transport.get_write_buffer_size() < self.unread:
                self.watch()
            else:
                self.transport.abort()

        def stop_watching(self) -> None:
            """It was read, or nobody reads any more."""
            if self.reading is not None:
                self.reading.cancel()

        def resume_writing(self) -> None:
            """Enough was read."""
            self.stop_watching()
            super().resume_writing()

        def connection_lost(self, exc: Exception | None) -> None:
            """The client has gone."""
            self.stop_watching()
            super().connection_lost(exc)

    return Dropping
