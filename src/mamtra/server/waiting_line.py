"""The texts that wait for a slot of a server's model: first come, first served, not too many."""

import asyncio
import threading
from collections import deque

from mamtra.server.config import ServeConfig
from mamtra.server.http_errors import busy
from mamtra.server.ticket import Job, Ticket

FIRST_GUESS_SECONDS = 2.0  # that a text keeps its slot, before any has
RECENT = 0.1  # share of the last text in the mean of how long texts keep their slots


class WaitingLine:
    """Tickets without a slot; whoever calls holds ``wake``.

    Args:
        config: slots, length of the line and waiting times.
        wake: the lock of all that threads share, and what they wait for.
    """

    def __init__(self, config: ServeConfig, wake: threading.Condition) -> None:
        self.config, self.wake = config, wake
        self.tickets: deque[Ticket] = deque()
        self.slot_seconds = FIRST_GUESS_SECONDS

    def __len__(self) -> int:
        return len(self.tickets)

    def join(self, job: Job, slots_busy: int, *, patient: bool) -> Ticket:
        """Put a job at the end; called in the event loop.

        Args:
            job: what to speak.
            slots_busy: texts that are being spoken.
            patient: never refused for a full line.

        Raises:
            HTTPError: 429, the line is full.
        """
        slots = self.config.slots
        room = self.config.queue + max(0, slots - slots_busy)
        if not patient and len(self) >= room:
            wait = self.slot_seconds * (len(self) + 1) / slots
            raise busy(
                f"{len(self)} texts are waiting, as many as may; ask again in "
                f"{max(1, round(wait))} seconds",
                wait,
            )
        loop, config = asyncio.get_running_loop(), self.config
        ticket = Ticket(job, loop, self.wake, config.queue_seconds, config.write_seconds)
        self.tickets.append(ticket)
        return ticket

    def drop(self, now: float) -> list[Ticket]:
        """Take out those that nobody waits for any more, and those that waited too long."""
        gone = [ticket for ticket in self.tickets if ticket.cancelled or ticket.overdue(now)]
        for ticket in gone:
            self.tickets.remove(ticket)
        return gone

    def learn(self, seconds: float) -> None:
        """Note how long a text kept its slot, for what later ones are told."""
        self.slot_seconds += RECENT * (seconds - self.slot_seconds)
