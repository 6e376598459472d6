"""A request on its way: written by the thread that speaks, read by the event loop.

The speaking thread never waits for a slow reader: it asks ``has_room`` before it makes more sound,
and goes on with others where there is none. So what a request holds in memory is bounded by a few
pieces of sound and the speech tokens of its text.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mamtra.server.http_errors import busy
from mamtra.synthesis.options import AnyVoice
from mamtra.synthesis.stream import AudioPiece

MOST_PIECES = 4  # pieces of sound that wait to be sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to speak, as ``Synthesizer.stream`` takes it; a voice by name or as a value.

    Attributes:
        voice_named: the voice that a mark in the text means; a client may name no path.
        notes: what will be left out of the text, or read otherwise than it looks.
    """

    text: str
    voice: AnyVoice = None
    voice_named: Callable[[str], AnyVoice]
    seed: int = 0
    instruct: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Ticket:
    """One job; iterate over it in the event loop, and ``cancel`` when nobody listens any more.

    Attributes:
        job: what to speak.
        patience_seconds: how long it may wait for a slot.
        read_seconds: a reader that takes nothing for so long has gone.
        started: when it got a slot, by ``time.monotonic``.
        ended: nothing is put any more.
        read: the reader has seen the end, or the error that stands for it.
    """

    job: Job
    loop: asyncio.AbstractEventLoop
    wake: threading.Condition
    patience_seconds: float
    read_seconds: float
    queue: asyncio.Queue[AudioPiece | BaseException | None] = field(default_factory=asyncio.Queue)
    arrived: float = field(default_factory=time.monotonic)
    started: float = 0.0
    first_audio: float = 0.0
    audio_seconds: float = 0.0
    waiting: int = 0
    last_read: float = 0.0
    cancelled: bool = False
    ended: bool = False
    read: bool = False

    def has_room(self) -> bool:
        """Whether more sound may be made; asked by the speaking thread."""
        return self.waiting < MOST_PIECES

    def overdue(self, now: float) -> bool:
        """Whether it waited too long for a slot."""
        return not self.started and now - self.arrived > self.patience_seconds

    def forsaken(self, now: float) -> bool:
        """Whether its reader takes nothing any more."""
        return self.waiting >= MOST_PIECES and now - self.last_read > self.read_seconds

    def put(self, item: AudioPiece | BaseException | None) -> None:
        """Hand something to the reader; None is the end. Called by the speaking thread."""
        if self.ended:
            return
        if isinstance(item, AudioPiece):
            if len(item.samples) and not self.first_audio:
                self.first_audio = time.monotonic()
            self.audio_seconds += item.seconds
            with self.wake:
                if not self.waiting:
                    self.last_read = time.monotonic()
                self.waiting += 1
        else:
            self.ended = True
        try:
            self.loop.call_soon_threadsafe(self.queue.put_nowait, item)
        except RuntimeError:  # the loop has closed: nobody reads any more
            self.cancelled = True

    def expire(self) -> None:
        """Refuse a job that waited too long."""
        waited = time.monotonic() - self.arrived
        self.put(busy(f"no slot became free within {waited:.0f} seconds", waited, status=503))

    def cancel(self) -> None:
        """Nobody listens any more; may be called at any time, and more than once."""
        self.cancelled = True
        with self.wake:
            self.wake.notify_all()

    def __aiter__(self) -> "Ticket":
        return self

    async def __anext__(self) -> AudioPiece:
        """The next piece.

        Raises:
            HTTPError: the job was refused.
            MamtraError: it cannot be spoken.
            StopAsyncIteration: it has ended, also whenever it is asked again.
        """
        item = None if self.read else await self.queue.get()
        self.read = self.read or not isinstance(item, AudioPiece)
        if item is None:
            raise StopAsyncIteration
        if isinstance(item, BaseException):
            raise item
        with self.wake:
            self.waiting -= 1
            self.last_read = time.monotonic()
            self.wake.notify_all()
        return item
