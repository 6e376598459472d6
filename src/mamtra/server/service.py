"""One model that speaks for many: the threads that own it.

The language thread lets waiting texts into free slots, draws one speech id for each text in the
running batch, and drops those whose reader has gone. Acoustic threads turn ids into sound where a
reader has room for it, one text each: on two cores the language model of some texts runs beside
decoder and vocoder of others. What a text says is what ``Synthesizer.stream`` would say, sample for
sample.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import replace

from mamtra.audio.clip import Audio
from mamtra.generation.generate import RETRY_STRIDE
from mamtra.generation.live_batch import LiveBatch
from mamtra.generation.request import Failed, Stopped, Token
from mamtra.server.config import ServeConfig
from mamtra.server.http_errors import busy
from mamtra.server.metrics import Metrics
from mamtra.server.slots import Slots
from mamtra.server.ticket import Job, Ticket
from mamtra.server.utterance import Utterance, speak_on
from mamtra.synthesis.synthesizer import Synthesizer
from mamtra.synthesis.text_stream import Arrived
from mamtra.voice.voice import Voice, make_voice

LOOK_SECONDS = 0.05  # how often a thread without work looks for texts that waited too long
log = logging.getLogger("mamtra.server")


class Service:
    """A model that many clients share.

    Args:
        synthesizer: the model; nobody else may use it.
        config: slots, queue and waiting times.
        metrics: what is counted.

    Attributes:
        slots: the texts that wait or are spoken; what the threads share.
    """

    def __init__(self, synthesizer: Synthesizer, config: ServeConfig, metrics: Metrics) -> None:
        self.synthesizer, self.config = synthesizer, config
        self.name, self.rate_hz = synthesizer.name, synthesizer.rate
        self.slots = Slots(synthesizer, config, metrics)
        self.wake, self.waiting = self.slots.wake, self.slots.waiting
        self.speaking = self.slots.speaking
        self.batch = LiveBatch(
            synthesizer.model.speech_model, config.slots, synthesizer.sampling, synthesizer.guard
        )
        self.slots_busy, self.queue_depth, self.state_bytes = (
            gauge.labels(self.name)
            for gauge in (metrics.slots_busy, metrics.queue_depth, metrics.state_bytes)
        )
        self.stop_reasons = metrics.stop_reasons
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
        return self.slots.idle

    def submit(self, job: Job, *, patient: bool = False) -> Ticket:
        """Put a job into the queue, as ``Slots.submit`` does."""
        return self.slots.submit(job, patient=patient)

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
            self.slots.closed = True
            self.wake.notify_all()
        for thread in self.threads:
            thread.join()
        for ticket in self.slots.tickets():
            ticket.put(busy("the server was stopped", 2.0, status=503))

    # the language thread

    def write(self) -> None:
        """Draw speech ids until closed."""
        while True:
            with self.wake:
                if not self.slots.closed and not self.has_work():
                    self.wake.wait(LOOK_SECONDS if self.waiting or self.speaking else None)
                if self.slots.closed:
                    return
            try:
                self.turn()
            except Exception as problem:
                log.exception("the running batch failed")
                for utterance in list(self.speaking.values()):
                    self.slots.end(utterance, problem)

    def has_work(self) -> bool:
        """Whether a turn would change something."""
        if self.batch.busy or self.slots.to_begin or self.slots.to_remove:
            return True
        return self.slots.free or any(ticket.cancelled for ticket in self.slots.tickets())

    def turn(self) -> None:
        """One speech id for each text."""
        self.slots.forget()
        self.slots.admit()
        while self.slots.to_remove:
            self.batch.remove(self.slots.to_remove.popleft())
        while self.slots.to_begin:
            self.start_piece(self.slots.to_begin.popleft())
        records = self.batch.step()
        for record in records:
            if isinstance(record, Failed) and (failed := self.speaking.get(record.row)):
                self.slots.end(failed, record.problem)
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
            self.slots.end(utterance, problem)

    # the acoustic threads

    def sound(self) -> None:
        """Turn speech ids into sound until closed."""
        while (taken := self.next_to_sound()) is not None:
            utterance, stopped = taken
            try:
                if speak_on(utterance, stopped, self.beginner(utterance), self.count):
                    self.slots.end(utterance, None)
            except Exception as problem:
                self.slots.end(utterance, problem)
            with self.wake:
                utterance.taken = False
                self.wake.notify_all()

    def next_to_sound(self) -> tuple[Utterance, Stopped | None] | None:
        """Wait for the most urgent utterance that has work, and take it with how its piece ended.

        None once closed.
        """
        with self.wake:
            while not self.slots.closed:
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
                self.slots.to_begin.append(utterance)
                self.wake.notify_all()

        return begin

    def count(self, stopped: Stopped) -> None:
        """Count how a piece has ended."""
        self.stop_reasons.labels(stopped.reason).inc()
