"""Connections that send the head of a request too slowly are closed; uvicorn itself would wait.

The time counts from the opening of a connection, and from the first byte of a later request.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

HEADER_SECONDS = 10.0  # for the whole head


class PunctualProtocol(AutoHTTPProtocol):
    """uvicorn's protocol for HTTP, with a limit for heads."""

    # what both of uvicorn's protocols have: the request at work, the event loop, the connection
    cycle: Any
    loop: asyncio.AbstractEventLoop
    transport: Any
    timer: asyncio.TimerHandle | None = None
    header_seconds = HEADER_SECONDS

    @property
    def waits_for_head(self) -> bool:
        """Whether no request is being answered or its body read."""
        return self.cycle is None or self.cycle.response_complete

    def stop_timer(self) -> None:
        """The head is there, or nobody waits for it any more."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def start_timer(self) -> None:
        """Count from now, unless it counts already."""
        if self.timer is None:
            self.timer = self.loop.call_later(self.header_seconds, self.give_up)

    def give_up(self) -> None:
        """Close a connection whose head did not come; a WebSocket has another protocol by now."""
        self.timer = None
        if self.waits_for_head and self.transport.get_protocol() is self:
            self.transport.close()

    def connection_made(self, transport: Any) -> None:
        """A client has come."""
        super().connection_made(transport)
        self.start_timer()

    def data_received(self, data: bytes) -> None:
        """A part of a request has come."""
        super().data_received(data)
        if self.waits_for_head:
            self.start_timer()
        else:
            self.stop_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self.stop_timer()
        super().connection_lost(exc)
