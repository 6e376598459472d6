"""One model that speaks for many: a thread that owns it, and the queue before it.

The thread repeats four things: let waiting texts into free slots, draw one speech id for each text
in the running batch, turn ids into sound where the reader has room for it, and drop those whose
reader has gone. What a text says is what ``Synthesizer.stream`` would say, sample for sample.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from mamtra.audio.clip import Audio
from mamtra.audio.joiner import pause_after
from mamtra.audio.stream_joiner import StreamJoiner
from mamtra.errors import GenerationError
from mamtra.generation.generate import RETRY_STRIDE
from mamtra.generation.guard import FAILURES
from mamtra.generation.live_batch import LiveBatch
from mamtra.generation.request import Stopped, Token
from mamtra.server.config import ServeConfig
from mamtra.server.http_errors import HTTPError, busy
from mamtra.server.metrics import Metrics
from mamtra.server.ticket import Job, Ticket
from mamtra.synthesis.acoustics import AcousticStream, flow_noise
from mamtra.synthesis.options import SpeakOptions
from mamtra.synthesis.speaker import Speaker
from mamtra.synthesis.speech import Spoken
from mamtra.synthesis.stream import AudioPiece
from mamtra.synthesis.synthesizer import Synthesizer
from mamtra.synthesis.text_stream import Arrived, arriving_pieces
from mamtra.voice.voice import Voice, make_voice

LOOK_SECONDS = 0.05  # how often a thread without work looks for texts that waited too long
log = logging.getLogger("mamtra.server")


@dataclass(slots=True)
class Utterance:
    """A ticket's text while it is spoken, piece by piece.

    Attributes:
        number: names it in the batch.
        pieces: of text that are not begun yet.
        piece: number of the current one.
        pending: speech ids that are not sound yet.
        stopped: how the language model ended the current piece.
    """

    number: int
    ticket: Ticket
    speaker: Speaker
    pieces: Iterator[Arrived]
    joiner: StreamJoiner
    arrived: Arrived
    acoustics: AcousticStream
    piece: int = 0
    attempt: int = 0
    pending: list[int] = field(default_factory=list)
    stopped: Stopped | None = None


class Service:
    """A model that many clients share.

    Args:
        synthesizer: the model; nobody else may use it.
        config: slots, queue and waiting times.
        metrics: what is counted.
    """

    def __init__(self, synthesizer: Synthesizer, config: ServeConfig, metrics: Metrics) -> None:
        self.synthesizer, self.config, self.metrics = synthesizer, config, metrics
        self.name, self.rate_hz = synthesizer.name, synthesizer.rate
        self.wake = threading.Condition()
        self.waiting: deque[Ticket] = deque()
        self.speaking: dict[int, Utterance] = {}
        self.batch = LiveBatch(
            synthesizer.model.speech_model, config.slots, synthesizer.sampling, synthesizer.guard
        )
        self.noise = flow_noise(synthesizer.model.decoder.sizes)
        self.numbers = 0
        self.mean_seconds = 2.0  # that a text keeps its slot, for Retry-After
        self.closed = False
        self.thread = threading.Thread(target=self.run, name=f"speak-{self.name}", daemon=True)
        self.thread.start()

    @property
    def follows_instructions(self) -> bool:
        """Whether the model can be told how to speak."""
        return self.synthesizer.reader.end_of_prompt is not None

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
            room = self.config.queue + max(0, self.config.slots - len(self.speaking))
            if not patient and len(self.waiting) >= room:
                wait = self.mean_seconds * (len(self.waiting) + 1) / self.config.slots
                raise busy(
                    f"{len(self.waiting)} texts are waiting, as many as may; ask again in "
                    f"{max(1, round(wait))} seconds",
                    wait,
                )
            ticket = Ticket(
                job,
                asyncio.get_running_loop(),
                self.wake,
                self.config.queue_seconds,
                self.config.write_seconds,
            )
            self.waiting.append(ticket)
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
        """Refuse what is new, end what is left, and wait for the thread."""
        with self.wake:
            self.closed = True
            self.wake.notify_all()
        self.thread.join()

    # what follows runs in the speaking thread

    def run(self) -> None:
        """Speak until closed."""
        while True:
            with self.wake:
                if not self.closed and not self.has_work():
                    self.wake.wait(LOOK_SECONDS if self.waiting or self.speaking else None)
                if self.closed:
                    break
            try:
                self.turn()
            except Exception as problem:
                log.exception("the running batch failed")
                for utterance in list(self.speaking.values()):
                    self.end(utterance, problem)
        rest = [*self.waiting, *(utterance.ticket for utterance in self.speaking.values())]
        for ticket in rest:
            ticket.put(busy("the server was stopped", 2.0, status=503))

    def has_work(self) -> bool:
        """Whether a turn would change something."""
        if self.waiting and len(self.speaking) < self.config.slots:
            return True
        return any(
            utterance.ticket.cancelled or utterance.stopped is None or utterance.ticket.has_room()
            for utterance in self.speaking.values()
        ) or any(ticket.cancelled for ticket in self.waiting)

    def turn(self) -> None:
        """One speech id for each text, and whatever sound follows from it."""
        self.forget()
        self.admit()
        for record in self.batch.step():
            utterance = self.speaking[record.row]
            if isinstance(record, Token):
                utterance.pending.append(record.id)
            else:
                utterance.stopped = record
        for utterance in list(self.speaking.values()):
            try:
                self.advance(utterance)
            except Exception as problem:
                self.end(utterance, problem)
        self.metrics.slots_busy.labels(self.name).set(len(self.speaking))
        self.metrics.queue_depth.labels(self.name).set(len(self.waiting))
        self.metrics.state_bytes.labels(self.name).set(self.batch.nbytes)

    def forget(self) -> None:
        """Drop tickets that nobody waits for any more, and refuse those that waited too long."""
        now = time.monotonic()
        with self.wake:
            tickets = list(self.waiting)
            gone = [t for t in tickets if t.cancelled or t.overdue(now)]
            for ticket in gone:
                self.waiting.remove(ticket)
        for ticket in gone:
            if ticket.cancelled:
                self.metrics.cancelled.inc()
                ticket.put(None)
            else:
                ticket.expire()
        for utterance in list(self.speaking.values()):
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
        while len(self.speaking) < self.config.slots:
            with self.wake:
                if not self.waiting:
                    return
                ticket = self.waiting.popleft()
            try:
                self.begin(ticket)
            except Exception as problem:
                self.tell(ticket, problem)

    def begin(self, ticket: Ticket) -> None:
        """Read a text and start to speak its first piece.

        Raises:
            MamtraError: it cannot be spoken.
        """
        own, job = self.synthesizer, ticket.job
        ticket.started = time.monotonic()
        self.metrics.wait.observe(ticket.started - ticket.arrived)
        options = SpeakOptions(voice=job.voice, seed=job.seed, instruct=job.instruct)
        speaker = own.speaker(options)
        pieces = arriving_pieces(job.text, speaker.timed_pieces)
        arrived = next(pieces)
        self.numbers += 1
        utterance = Utterance(
            number=self.numbers,
            ticket=ticket,
            speaker=speaker,
            pieces=pieces,
            joiner=StreamJoiner(self.rate_hz),
            arrived=arrived,
            acoustics=self.acoustics_of(speaker, 0),
        )
        self.start_piece(utterance)
        self.speaking[utterance.number] = utterance

    def acoustics_of(self, speaker: Speaker, piece: int) -> AcousticStream:
        """What turns the ids of a piece into sound."""
        return AcousticStream(speaker.model, speaker.voice.prompt, speaker.seed(piece), self.noise)

    def start_piece(self, utterance: Utterance) -> None:
        """Let the language model begin the current piece, or begin it again."""
        speaker = utterance.speaker
        utterance.acoustics = self.acoustics_of(speaker, utterance.piece)
        utterance.pending, utterance.stopped = [], None
        request = speaker.request(utterance.arrived.text, utterance.piece)
        seed = request.seed + utterance.attempt * RETRY_STRIDE
        self.batch.add(utterance.number, replace(request, seed=seed))

    def advance(self, utterance: Utterance) -> None:
        """Turn ids into sound as far as the reader has room; go on to the next piece at the end.

        Raises:
            GenerationError: the model said nothing.
        """
        ticket, acoustics, stopped = utterance.ticket, utterance.acoustics, utterance.stopped
        if not ticket.has_room():
            return
        if utterance.pending:
            ids, utterance.pending = utterance.pending, []
            self.hand_out(utterance, acoustics.push(ids))
        if stopped is None:
            return
        failed = stopped.reason in FAILURES and not acoustics.started
        if failed and utterance.attempt + 1 < self.synthesizer.guard.attempts:
            utterance.attempt += 1
            self.start_piece(utterance)
            return
        acoustics.drop(stopped.surplus)
        text = utterance.arrived.text
        if not acoustics.tokens:
            raise GenerationError(
                f"the model said nothing for {text!r} in {utterance.attempt + 1} attempts; try "
                "another seed"
            )
        self.metrics.stop_reasons.labels(stopped.reason).inc()
        rest = utterance.joiner.push(acoustics.push([], final=True))
        spoken = Spoken(
            text=text,
            speech_tokens=list(acoustics.tokens),
            stop_reason=stopped.reason,
            compute_seconds=acoustics.compute_seconds,
            first_audio_seconds=max(0.0, ticket.first_audio - ticket.arrived),
            state_bytes=stopped.state_bytes,
        )
        self.put(utterance, rest, spoken)
        self.next_piece(utterance, text)

    def next_piece(self, utterance: Utterance, before: str) -> None:
        """Go on to the piece that follows, or end."""
        following = next(utterance.pieces, None)
        if following is None:
            self.put(utterance, utterance.joiner.finish())
            self.end(utterance, None)
            return
        pause = following.pause_seconds
        if pause is None:
            pause = pause_after(before, following.starts_paragraph)
        self.put(utterance, utterance.joiner.next_piece(pause))
        utterance.arrived, utterance.attempt = following, 0
        utterance.piece += 1
        self.start_piece(utterance)

    def hand_out(self, utterance: Utterance, samples: object) -> None:
        """Pass samples through the joiner to the reader, if any are settled."""
        settled = utterance.joiner.push(samples)
        if len(settled):
            self.put(utterance, settled)

    def put(self, utterance: Utterance, samples: object, spoken: Spoken | None = None) -> None:
        """Give a piece of sound to the reader."""
        utterance.ticket.put(
            AudioPiece(samples=samples, rate=self.rate_hz, piece=utterance.piece, spoken=spoken)
        )

    def end(self, utterance: Utterance, problem: BaseException | None) -> None:
        """Free the slot; the reader gets the error, or the end."""
        self.batch.remove(utterance.number)
        self.speaking.pop(utterance.number, None)
        self.tell(utterance.ticket, problem)

    def tell(self, ticket: Ticket, problem: BaseException | None) -> None:
        """End a ticket, and count it."""
        ticket.put(problem)
        seconds = time.monotonic() - ticket.started
        if ticket.audio_seconds and problem is None:
            self.mean_seconds += 0.1 * (seconds - self.mean_seconds)
            self.metrics.realtime.observe(seconds / ticket.audio_seconds)
            self.metrics.first_audio.observe(ticket.first_audio - ticket.arrived)
            self.metrics.audio_seconds.inc(ticket.audio_seconds)
        log.info(
            "%s: %d characters, %.2f s of speech in %.2f s, first after %.2f s%s",
            self.name,
            len(ticket.job.text),
            ticket.audio_seconds,
            seconds,
            max(0.0, ticket.first_audio - ticket.arrived),
            "" if problem is None else f", {type(problem).__name__}",
        )
