"""One model that speaks for many: the threads that own it.

The language thread lets waiting texts into free slots, draws one speech id for each text in the
running batch, and drops those whose reader has gone. Acoustic threads turn ids into sound where a
reader has room for it, one text each: on two cores the language model of some texts runs beside
decoder and vocoder of others. What a text says is what ``Synthesizer.stream`` would say, sample for
sample.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from mamtra.audio.clip import Audio
from mamtra.audio.stream_joiner import StreamJoiner
from mamtra.generation.generate import RETRY_STRIDE
from mamtra.generation.live_batch import LiveBatch
from mamtra.generation.request import Failed, Stopped, Token
from mamtra.runtime.protocols import SpeechModel
from mamtra.server.config import ServeConfig
from mamtra.server.http_errors import HTTPError, busy
from mamtra.server.metrics import Metrics
from mamtra.server.ticket import Job, Ticket
from mamtra.server.utterance import Utterance, acoustics_of, speak_on
from mamtra.server.waiting_line import WaitingLine
from mamtra.synthesis.options import SpeakOptions
from mamtra.synthesis.synthesizer import Synthesizer
from mamtra.synthesis.text_stream import Arrived, arriving_pieces
from mamtra.voice.voice import Voice, make_voice

LOOK_SECONDS = 0.05  # how often a thread without work looks for texts that waited too long
PROBE_IDS = 256  # for the size of a state; engines make room for a multiple of this
log = logging.getLogger("mamtra.server")


def memory_of(model: SpeechModel) -> Callable[[int], int]:
    """Bytes of a state of one row that has read so many ids, without spare capacity."""
    empty = model.new_state(1, 0).nbytes
    bytes_per_id = (model.new_state(1, PROBE_IDS).nbytes - empty) // PROBE_IDS
    return lambda ids: empty + ids * bytes_per_id


class Service:
    """A model that many clients share.

    Args:
        synthesizer: the model; nobody else may use it.
        config: slots, queue and waiting times.
        metrics: what is counted.

    Attributes:
        wake: the lock of all that threads share, and what they wait for.
        waiting: tickets without a slot.
        speaking: utterances by number.
        to_begin: utterances whose piece the language model shall begin.
        to_remove: numbers of utterances that have ended, perhaps within a piece.
    """

    def __init__(self, synthesizer: Synthesizer, config: ServeConfig, metrics: Metrics) -> None:
        self.synthesizer, self.config, self.metrics = synthesizer, config, metrics
        self.name, self.rate_hz = synthesizer.name, synthesizer.rate
        self.wake = threading.Condition()
        self.waiting = WaitingLine(config, self.wake)
        self.speaking: dict[int, Utterance] = {}
        self.to_begin: deque[Utterance] = deque()
        self.to_remove: deque[int] = deque()
        self.batch = LiveBatch(
            synthesizer.model.speech_model, config.slots, synthesizer.sampling, synthesizer.guard
        )
        self.slots_busy, self.queue_depth, self.state_bytes = (
            gauge.labels(self.name)
            for gauge in (metrics.slots_busy, metrics.queue_depth, metrics.state_bytes)
        )
        self.memory = memory_of(synthesizer.model.speech_model)
        self.numbers = 0
        self.closed = False
        acoustic = max(1, synthesizer.model.acoustic_threads)
        self.threads = [
            threading.Thread(target=target, name=f"{kind}-{self.name}", daemon=True)
            for kind, target in [("language", self.write), *[("acoustic", self.sound)] * acoustic]
        ]
        for thread in self.threads:
            thread.start()

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is spoken."""
        return not self.waiting and not self.speaking

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

    def make_voice(self, audio: Audio, name: str, *, text: str, consent: str) -> Voice:
        """A voice from a recording, for this model.

        Raises:
            MamtraError: the recording cannot be used, or the model cannot listen.
        """
        from mamtra.voice.load import open_voice_encoder

        encoder = open_voice_encoder(self.synthesizer.folder)
        voice = make_voice(encoder, audio, name, text=text, source="uploaded", consent=consent)
        return self.synthesizer.voice(voice)

    def close(self) -> None:
        """Refuse what is new, end what is left, and wait for the threads."""
        with self.wake:
            self.closed = True
            self.wake.notify_all()
        for thread in self.threads:
            thread.join()
        for ticket in self.tickets():
            ticket.put(busy("the server was stopped", 2.0, status=503))

    def tickets(self) -> list[Ticket]:
        """All that wait or are spoken."""
        speaking = [utterance.ticket for utterance in self.speaking.values()]
        return [*self.waiting.tickets, *speaking]

    # the language thread

    def write(self) -> None:
        """Draw speech ids until closed."""
        while True:
            with self.wake:
                if not self.closed and not self.has_work():
                    self.wake.wait(LOOK_SECONDS if self.waiting or self.speaking else None)
                if self.closed:
                    return
            try:
                self.turn()
            except Exception as problem:
                log.exception("the running batch failed")
                for utterance in list(self.speaking.values()):
                    self.end(utterance, problem)

    def has_work(self) -> bool:
        """Whether a turn would change something."""
        if self.batch.busy or self.to_begin or self.to_remove:
            return True
        if self.waiting and len(self.speaking) < self.config.slots:
            return True
        return any(ticket.cancelled for ticket in self.tickets())

    def turn(self) -> None:
        """One speech id for each text."""
        self.forget()
        self.admit()
        while self.to_remove:
            self.batch.remove(self.to_remove.popleft())
        while self.to_begin:
            self.start_piece(self.to_begin.popleft())
        records = self.batch.step()
        for record in records:
            if isinstance(record, Failed) and (failed := self.speaking.get(record.row)):
                self.end(failed, record.problem)
        with self.wake:
            for record in records:
                if not isinstance(record, Failed):
                    self.take(record)
            if any(utterance.take_pending() for utterance in self.speaking.values()):
                self.wake.notify_all()
        self.slots_busy.set(len(self.speaking))
        self.queue_depth.set(len(self.waiting))
        self.state_bytes.set(self.batch.nbytes)

    def take(self, record: Token | Stopped) -> None:
        """Note what the language model drew for an utterance, unless that has ended meanwhile."""
        utterance = self.speaking.get(record.row)
        if utterance is None:
            return
        if isinstance(record, Token):
            utterance.pending.append(record.id)
        else:
            utterance.stopped = record

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
                if not self.waiting or len(self.speaking) >= self.config.slots:
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
            joiner=StreamJoiner(self.rate_hz),
            arrived=arrived,
            acoustics=acoustics_of(speaker, 0),
            memory=self.memory,
        )
        with self.wake:
            self.speaking[utterance.number] = utterance
            self.to_begin.append(utterance)

    def start_piece(self, utterance: Utterance) -> None:
        """Let the language model begin an utterance's piece, or begin it again."""
        if utterance.number not in self.speaking:
            return
        try:
            request = utterance.speaker.request(utterance.arrived.text, utterance.piece)
            utterance.read = request.length
            seed = request.seed + utterance.attempt * RETRY_STRIDE
            self.batch.add(utterance.number, replace(request, seed=seed))
        except Exception as problem:
            self.end(utterance, problem)

    # the acoustic threads

    def sound(self) -> None:
        """Turn speech ids into sound until closed."""
        while (taken := self.next_to_sound()) is not None:
            utterance, stopped = taken
            try:
                if speak_on(utterance, stopped, self.beginner(utterance), self.count):
                    self.end(utterance, None)
            except Exception as problem:
                self.end(utterance, problem)
            with self.wake:
                utterance.taken = False
                self.wake.notify_all()

    def next_to_sound(self) -> tuple[Utterance, Stopped | None] | None:
        """Wait for the most urgent utterance that has work, and take it with how its piece ended.

        None once closed.
        """
        with self.wake:
            while not self.closed:
                found = [one for one in self.speaking.values() if one.take_pending()]
                if found:
                    chosen = min(found, key=lambda utterance: utterance.due)
                    chosen.taken = True
                    return chosen, chosen.stopped
                self.wake.wait()
        return None

    def beginner(self, utterance: Utterance) -> Callable[[Arrived, int, int], None]:
        """What lets the language model begin a piece of an utterance."""

        def begin(arrived: Arrived, piece: int, attempt: int) -> None:
            with self.wake:
                utterance.begin_piece(arrived, piece, attempt)
                self.to_begin.append(utterance)
                self.wake.notify_all()

        return begin

    def count(self, stopped: Stopped) -> None:
        """Count how a piece has ended."""
        self.metrics.stop_reasons.labels(stopped.reason).inc()

    # all threads

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
            self.name,
            len(ticket.job.text),
            ticket.audio_seconds,
            seconds,
            max(0.0, ticket.first_audio - ticket.arrived),
            len(ticket.job.notes),
            "" if problem is None else f", {type(problem).__name__}",
        )
