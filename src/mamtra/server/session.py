"""One session of text that arrives over a WebSocket: its settings, its sentences, what it answers.

The dialogue stands in ``websocket.py``.
"""

import asyncio
import json
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from mamtra.errors import NothingToSpeakError, TextError
from mamtra.server.arriving_text import Marks, sentences_of
from mamtra.server.captions import WordFinder, finder_for
from mamtra.server.http_errors import http_error_of, stopping
from mamtra.server.models import ServerState
from mamtra.server.replies import Output
from mamtra.server.service import Service
from mamtra.server.speech_request import SpeechRequest, speech_request
from mamtra.server.speech_route import job_of
from mamtra.server.ticket import Ticket
from mamtra.synthesis.text_stream import ArrivingSentences
from mamtra.synthesis.word_times import WordTime
from mamtra.text.notes import kind_of

QUEUED_TEXTS = 16  # texts as long as a request's may be that wait to be spoken
IDLE_SECONDS = 30.0  # without a message, while nothing is to be spoken


def settings_of(values: dict[str, Any], state: ServerState) -> SpeechRequest:
    """The session's settings, checked like a speech request."""
    known = ("voice", "model", "response_format", "speed", "seed", "sample_rate", "instructions")
    given = {name: values[name] for name in known if name in values}
    return speech_request({"response_format": "pcm", **given, "input": "-"}, state.config)


@dataclass(slots=True)
class Sentence:
    """What was sent of a sentence: bytes, what is not said of it, and when its words are heard.

    Attributes:
        finder: finds when its words are heard; None where nobody asked for it.
    """

    finder: WordFinder | None
    bytes: int = 0
    notes: tuple[str, ...] = ()
    words: list[WordTime] = field(default_factory=list)


@dataclass(slots=True)
class Session:
    """One WebSocket.

    Attributes:
        queued: characters of the sentences that wait to be spoken.
        speaking: whether something is being spoken or answered.
        idle: ends the session; None while nobody listens.
        arriving: text that has arrived and is not spoken yet.
        finder: finds when words are heard, if the client asked for it.
        marks: who speaks, if a mark came since the last settings.
        utterance, sentence: counters of the dialogue.
        notes: of the utterance's sentences, one of each kind.
        said: something of the utterance was spoken.
        unsaid: why a sentence of it was left out, if one was.
        taking: text of an utterance has come, and not its end.
        to_end: for each end that waits among the sentences, how many utterances it ends.
        under_way: utterances that were begun and are not done.
    """

    socket: WebSocket
    state: ServerState
    settings: SpeechRequest = field(init=False)
    service: Service = field(init=False)
    finder: WordFinder | None = None
    arriving: ArrivingSentences = field(default_factory=ArrivingSentences)
    marks: Marks = field(init=False)
    utterance: int = 0
    sentence: int = 0
    notes: dict[str, str] = field(default_factory=dict)
    said: bool = False
    unsaid: str = ""
    taking: bool = False
    to_end: deque[int] = field(default_factory=deque)
    under_way: int = 0
    ticket: Ticket | None = None
    sentences: asyncio.Queue[str | None] = field(default_factory=asyncio.Queue)
    queued: int = 0
    cancelled: bool = False
    speaking: bool = False
    idle: asyncio.Timeout | None = None

    def configure(self, values: dict[str, Any]) -> None:
        """Take the settings of a ``session.config``, checked like a speech request.

        Raises:
            HTTPError: a value, the voice or the model is not possible.
        """
        nested = values.get("session")
        values = nested if isinstance(nested, dict) else values
        settings = settings_of(values, self.state)
        service = self.state.models.find(settings.model)
        job_of(settings, service, self.state)  # an unknown voice is told at once
        self.settings, self.service, self.marks = settings, service, Marks()
        self.finder = None
        if values.get("timestamp_type") == "word":
            self.finder = finder_for(settings.speed, "timestamp_type")

    def count_idle(self) -> None:
        """Count the time without a message from now on; never while anything is to be spoken."""
        busy = self.speaking or not self.sentences.empty()
        now = asyncio.get_running_loop().time()
        if self.idle is not None:
            self.idle.reschedule(None if busy else now + IDLE_SECONDS)

    async def tell(self, kind: str, **values: Any) -> None:
        """Send a message."""
        await self.socket.send_text(json.dumps({"type": kind, **values}))

    async def send(self, data: bytes, sentence: "Sentence") -> None:
        """Send a frame, if there is anything in it."""
        if data:
            sentence.bytes += len(data)
            await self.socket.send_bytes(data)

    async def sound(
        self, wanted: SpeechRequest, service: Service, sentence: "Sentence", output: Output
    ) -> None:
        """Send the frames of a sentence.

        Raises:
            HTTPError: it was refused.
            MamtraError: it cannot be spoken.
        """
        job, _ = job_of(replace(wanted, text=self.marks.marked(wanted.text)), service, self.state)
        self.marks.follow(wanted.text)
        sentence.notes = job.notes
        self.notes |= {kind_of(note): note for note in job.notes if kind_of(note) not in self.notes}
        self.ticket = service.submit(job, patient=True)
        async for piece in self.ticket:
            if self.cancelled:
                return
            await self.send(output.push(piece), sentence)
            if sentence.finder is not None:
                sentence.words += await sentence.finder.words_of(piece)
        if not self.cancelled:
            await self.send(output.finish(), sentence)

    async def speak(self, text: str) -> None:
        """Speak one sentence: start, frames, done; settings that come meanwhile are the next's."""
        wanted, service = replace(self.settings, text=text, streamed=True), self.service
        output = Output(wanted, service.synthesizer, self.state.config.mark)
        marks = {"utterance_index": self.utterance, "sentence_index": self.sentence}
        sentence, failed = Sentence(self.finder), None
        if sentence.finder is not None:  # it may hold the end of the sentence before
            sentence.finder.begin()
        await self.tell(
            "audio.start",
            **marks,
            sentence_text=text,
            format=wanted.format_name,
            sample_rate=output.rate_hz,
        )
        try:
            await self.sound(wanted, service, sentence, output)
        except (WebSocketDisconnect, asyncio.CancelledError):
            raise
        except NothingToSpeakError as nothing:  # as a stream of the synthesizer leaves it out
            self.unsaid = str(nothing)
        except Exception as error:
            failed = http_error_of(error)
        finally:
            if self.ticket is not None:
                self.ticket.cancel()
                self.ticket = None
        if failed is not None:
            await self.tell("error", message=failed.message)
        if self.cancelled:
            await self.tell("audio.cancelled", **marks, reason="input.cancel")
        else:
            done = {**marks, "total_bytes": sentence.bytes, "error": failed is not None}
            done["notes"] = sentence.notes
            if sentence.finder is not None:
                done["timestamp_info"] = sentence.finder.columns(sentence.words)
            await self.tell("audio.done", **done)
        self.sentence, self.said = self.sentence + 1, self.said or sentence.bytes > 0

    async def next_sentence(self) -> str | None:
        """Wait for a sentence, or for the end of an utterance (None)."""
        self.speaking = False
        self.count_idle()
        text = await self.sentences.get()
        self.speaking, self.queued = True, self.queued - len(text or "")
        return text

    async def speak_all(self) -> None:
        """Speak sentences in their order, as long as the session lasts."""
        while True:
            text = await self.next_sentence()
            if text is not None:
                if not self.cancelled:
                    await self.speak(text)
                continue
            await self.tell_end(self.to_end.popleft())

    async def tell_end(self, count: int) -> None:
        """Tell that so many utterances have ended, and whether nothing of them could be spoken."""
        done: dict[str, Any] = {
            "utterance_index": self.utterance,
            "total_sentences": self.sentence,
            "notes": list(self.notes.values()),
        }
        if self.unsaid and not (self.said or self.cancelled):
            await self.tell("error", message=self.unsaid)
            done["error"] = True
        await self.tell("session.done", **done)
        self.end(count)
        self.notes.clear()
        self.utterance, self.sentence, self.cancelled = self.utterance + 1, 0, False
        self.said, self.unsaid = False, ""

    def begin(self) -> None:
        """Text of an utterance has come: one is under way, unless it is already.

        Raises:
            HTTPError: 503, the server is being stopped.
        """
        if self.taking:
            return
        if self.state.draining:
            raise stopping()
        self.taking = True
        self.under_way += 1
        self.state.utterances += 1

    def end(self, count: int) -> None:
        """So many utterances are not under way any more."""
        self.under_way -= count
        self.state.utterances -= count

    def put(self, sentence: str) -> None:
        """Queue a sentence."""
        self.queued += len(sentence)
        self.sentences.put_nowait(sentence)

    async def hear(self, text: str) -> None:
        """Take text and queue the sentences that have ended, or refuse all of it.

        Raises:
            HTTPError: 503, the server is being stopped.
        """
        most = self.state.config.max_chars
        if self.queued + len(text) > QUEUED_TEXTS * most:
            await self.tell(
                "error",
                message=f"{self.queued} characters wait to be spoken, and {len(text)} more would "
                f"be over the {QUEUED_TEXTS * most} that may; send them again later",
            )
            return
        arriving = replace(self.arriving)
        try:
            ready = sentences_of(arriving, text)
        except TextError as broken:
            await self.tell("error", message=str(broken))
            return
        if (longest := max(map(len, [*ready, arriving.waiting]))) > most:
            await self.tell(
                "error",
                message=f"a sentence holds {longest} characters; at most {most} are spoken at "
                "once; send shorter sentences, or end what waits by input.done or input.cancel",
            )
            return
        self.begin()
        self.arriving = arriving
        for sentence in ready:
            self.put(sentence)

    def flush(self) -> None:
        """The utterance has ended: speak what is left, then say so."""
        if rest := self.arriving.waiting.strip():
            self.put(rest)
        self.arriving = ArrivingSentences()
        self.put_end(int(self.taking))

    def put_end(self, count: int) -> None:
        """Queue the end of so many utterances."""
        self.taking = False
        self.to_end.append(count)
        self.sentences.put_nowait(None)

    def stop(self) -> None:
        """Stop speaking this utterance."""
        self.cancelled, self.arriving, self.queued = True, ArrivingSentences(), 0
        while not self.sentences.empty():
            self.sentences.get_nowait()
        if self.ticket is not None:
            self.ticket.cancel()
        ended = sum(self.to_end) + self.taking
        self.to_end.clear()
        self.put_end(ended)
