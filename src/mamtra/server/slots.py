"""The slots of a model: which texts wait for one, which have one, and how each of them ends.

The event loop puts texts in, the language thread lets them into free slots and drops those whose
reader has gone, and any thread ends one.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from mamtra.audio.stream_joiner import StreamJoiner
from mamtra.runtime.protocols import SpeechModel
from mamtra.server.config import ServeConfig
from mamtra.server.http_errors import HTTPError, busy
from mamtra.server.metrics import Metrics
from mamtra.server.ticket import Job, Ticket
from mamtra.server.utterance import Utterance, acoustics_of
from mamtra.server.waiting_line import WaitingLine
from mamtra.synthesis.options import SpeakOptions
from mamtra.synthesis.synthesizer import Synthesizer
from mamtra.synthesis.text_stream import arriving_pieces

PROBE_IDS = 256  # for the size of a state; engines make room for a multiple of this
log = logging.getLogger("mamtra.server")


def memory_of(model: SpeechModel) -> Callable[[int], int]:
    """Bytes of a state of one row that has read so many ids, without spare capacity."""
    empty = model.new_state(1, 0).nbytes
    bytes_per_id = (model.new_state(1, PROBE_IDS).nbytes - empty) // PROBE_IDS
    return lambda ids: empty + ids * bytes_per_id


class Slots:
    """The texts of one model that wait or are spoken.

    Args:
        synthesizer: the model.
        config: slots, queue and waiting times.
        metrics: what is counted.

    Attributes:
        wake: the lock of all that threads share, and what they wait for.
        waiting: tickets without a slot.
        speaking: utterances by number.
        to_begin: utterances whose piece the language model shall begin.
        to_remove: numbers of utterances that have ended, perhaps within a piece.
        closed: the server is being stopped.
    """

    def __init__(self, synthesizer: Synthesizer, config: ServeConfig, metrics: Metrics) -> None:
        self.synthesizer, self.config, self.metrics = synthesizer, config, metrics
        self.wake = threading.Condition()
        self.waiting = WaitingLine(config, self.wake)
        self.speaking: dict[int, Utterance] = {}
        self.to_begin: deque[Utterance] = deque()
        self.to_remove: deque[int] = deque()
        self.memory = memory_of(synthesizer.model.speech_model)
        self.numbers = 0
        self.closed = False

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is spoken."""
        return not self.waiting and not self.speaking

    @property
    def free(self) -> bool:
        """Whether a text that waits can begin; whoever asks holds ``wake``."""
        return bool(self.waiting) and len(self.speaking) < self.config.slots

    def submit(self, job: Job, *, patient: bool = False) -> Ticket:
        """Put a job into the queue; called in the event loop.

        Args:
            job: what to speak.
            patient: part of a longer dialogue that holds a place already: never refused for a
                full queue.

        Raises:
            HTTPError: 429, the queue is full; 503, the server is being stopped.
        """
        with self.wake:
            if self.closed:
                raise busy("the server is being stopped", 2.0, status=503)
            ticket = self.waiting.join(job, len(self.speaking), patient=patient)
            self.wake.notify_all()
        return ticket

    def tickets(self) -> list[Ticket]:
        """All that wait or are spoken."""
        speaking = [utterance.ticket for utterance in self.speaking.values()]
        return [*self.waiting.tickets, *speaking]

    def forget(self) -> None:
        """Drop tickets that nobody waits for any more, and refuse those that waited too long."""
        now = time.monotonic()
        with self.wake:
            gone = self.waiting.drop(now)
            utterances = list(self.speaking.values())
        for ticket in gone:
            if ticket.cancelled:
                self.metrics.cancelled.inc()
                ticket.put(None)
            else:
                ticket.expire()
        for utterance in utterances:
            ticket = utterance.ticket
            if ticket.cancelled:
                self.metrics.cancelled.inc()
                self.end(utterance, None)
            elif ticket.forsaken(now):
                limit = f"{self.config.write_seconds:g}"
                told = f"nothing was read for {limit} seconds"
                self.end(utterance, HTTPError(408, told, "slow_reader"))

    def admit(self) -> None:
        """Begin waiting texts while there are free slots."""
        while True:
            with self.wake:
                if not self.free:
                    return
                ticket = self.waiting.tickets.popleft()
            try:
                self.begin(ticket)
            except Exception as problem:
                self.tell(ticket, problem)

    def begin(self, ticket: Ticket) -> None:
        """Read a text and start to speak its first piece.

        Raises:
            MamtraError: it cannot be spoken.
        """
        job = ticket.job
        ticket.started = time.monotonic()
        self.metrics.wait.observe(ticket.started - ticket.arrived)
        options = SpeakOptions(
            voice=job.voice,
            seed=job.seed,
            instruct=job.instruct,
            proofread=self.config.proofread,
        )
        speaker = self.synthesizer.speaker(options, job.voice_named)
        pieces = arriving_pieces(job.text, speaker.timed_pieces)
        arrived = next(pieces)
        if arrived.voice is not None:
            speaker = speaker.with_voice(arrived.voice)
        self.numbers += 1
        utterance = Utterance(
            number=self.numbers,
            ticket=ticket,
            speaker=speaker,
            pieces=pieces,
            joiner=StreamJoiner(self.synthesizer.rate),
            arrived=arrived,
            acoustics=acoustics_of(speaker, 0),
            memory=self.memory,
        )
        with self.wake:
            self.speaking[utterance.number] = utterance
            self.to_begin.append(utterance)

    def end(self, utterance: Utterance, problem: BaseException | None) -> None:
        """Free the slot; the reader gets the error, or the end."""
        with self.wake:
            if self.speaking.pop(utterance.number, None) is None:
                return
            self.to_remove.append(utterance.number)
            self.wake.notify_all()
        self.tell(utterance.ticket, problem)

    def tell(self, ticket: Ticket, problem: BaseException | None) -> None:
        """End a ticket, and count it."""
        ticket.put(problem)
        seconds = time.monotonic() - ticket.started
        if ticket.audio_seconds and problem is None:
            self.waiting.learn(seconds)
            self.metrics.realtime.observe(seconds / ticket.audio_seconds)
            self.metrics.first_audio.observe(ticket.first_audio - ticket.arrived)
            self.metrics.audio_seconds.inc(ticket.audio_seconds)
        log.info(
            "%s: %d characters, %.2f s of speech in %.2f s, first after %.2f s, %d notes%s",
            self.synthesizer.name,
            len(ticket.job.text),
            ticket.audio_seconds,
            seconds,
            max(0.0, ticket.first_audio - ticket.arrived),
            len(ticket.job.notes),
            "" if problem is None else f", {type(problem).__name__}",
        )
