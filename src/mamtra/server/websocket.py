"""Text that arrives over a WebSocket, spoken as it comes: vLLM-Omni's dialogue, which LiveKit's
clients speak.

    client                                server
    session.config {voice, speed, ...}
    input.text {text} ...                 audio.start, binary frames, audio.done for each sentence
    input.done                            session.done
    input.cancel                          audio.cancelled
    session.close

A session has any number of utterances, each ended by ``input.done``. Messages that nobody knows are
ignored. The protocol: https://docs.vllm.ai/projects/vllm-omni (WebSocket /v1/audio/speech/stream).
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import Headers
from starlette.websockets import WebSocket, WebSocketDisconnect

from mamtra.server.guarding import check_host, check_key, origin_allowed
from mamtra.server.http_errors import HTTPError, http_error_of
from mamtra.server.replies import Output
from mamtra.server.service import Service
from mamtra.server.speech_request import SpeechRequest, object_of, speech_request
from mamtra.server.speech_route import job_of
from mamtra.server.state import ServerState
from mamtra.server.ticket import Ticket
from mamtra.synthesis.text_stream import complete

CONFIG_SECONDS = 10.0  # for the first message
IDLE_SECONDS = 30.0
MESSAGE_CHARACTERS = 64 * 1024
REFUSED = 1008  # WebSocket close code: policy violation
FULL = 1013  # try again later


@dataclass(slots=True)
class Session:
    """One WebSocket.

    Attributes:
        waiting: text that has arrived and is not spoken yet.
        utterance, sentence: counters of the dialogue.
    """

    socket: WebSocket
    state: ServerState
    settings: SpeechRequest
    service: Service
    waiting: str = ""
    utterance: int = 0
    sentence: int = 0
    ticket: Ticket | None = None
    sentences: asyncio.Queue[str | None] = field(default_factory=asyncio.Queue)
    cancelled: bool = False

    async def tell(self, kind: str, **values: Any) -> None:
        """Send a message."""
        await self.socket.send_text(json.dumps({"type": kind, **values}))

    async def speak(self, text: str) -> None:
        """Speak one sentence: start, frames, done."""
        from dataclasses import replace

        wanted = replace(self.settings, text=text, streamed=True)
        job, _ = job_of(wanted, self.service, self.state)
        output = Output(wanted, self.service.rate_hz)
        marks = {"utterance_index": self.utterance, "sentence_index": self.sentence}
        total, failed = 0, None
        await self.tell(
            "audio.start",
            **marks,
            sentence_text=text,
            format=wanted.format_name,
            sample_rate=output.rate_hz,
        )
        try:
            self.ticket = self.service.submit(job, patient=True)
            async for piece in self.ticket:
                if self.cancelled:
                    break
                if data := output.push(piece):
                    total += len(data)
                    await self.socket.send_bytes(data)
            if not self.cancelled and (rest := output.finish()):
                total += len(rest)
                await self.socket.send_bytes(rest)
        except (WebSocketDisconnect, asyncio.CancelledError):
            raise
        except Exception as error:
            failed = http_error_of(error)
        finally:
            if self.ticket is not None:
                self.ticket.cancel()
                self.ticket = None
        if self.cancelled:
            await self.tell("audio.cancelled", **marks, reason="input.cancel")
        else:
            if failed is not None:
                await self.tell("error", message=failed.message)
            await self.tell("audio.done", **marks, total_bytes=total, error=failed is not None)
        self.sentence += 1

    async def speak_all(self) -> None:
        """Speak sentences in their order, as long as the session lasts."""
        while True:
            text = await self.sentences.get()
            if text is not None:
                if not self.cancelled:
                    await self.speak(text)
                continue
            await self.tell(
                "session.done", utterance_index=self.utterance, total_sentences=self.sentence
            )
            self.utterance, self.sentence, self.cancelled = self.utterance + 1, 0, False

    def hear(self, text: str) -> None:
        """Take text; sentences that have ended are queued.

        Raises:
            HTTPError: 400, more text waits than a request may hold.
        """
        self.waiting += text
        if len(self.waiting) > self.state.config.max_chars:
            raise HTTPError(400, "too much text without the end of a sentence", "input_too_long")
        ready, self.waiting = complete(self.waiting)
        for sentence in ready:
            self.sentences.put_nowait(sentence)

    def flush(self) -> None:
        """The utterance has ended: speak what is left, then say so."""
        if self.waiting.strip():
            self.sentences.put_nowait(self.waiting.strip())
        self.waiting = ""
        self.sentences.put_nowait(None)

    def stop(self) -> None:
        """Stop speaking this utterance."""
        self.cancelled, self.waiting = True, ""
        while not self.sentences.empty():
            self.sentences.get_nowait()
        if self.ticket is not None:
            self.ticket.cancel()
        self.sentences.put_nowait(None)


async def message_of(socket: WebSocket, seconds: float) -> dict[str, Any]:
    """The next message, as an object with a type.

    Raises:
        HTTPError: it is too large or no JSON object.
        TimeoutError: none came.
    """
    text = await asyncio.wait_for(socket.receive_text(), seconds)
    if len(text) > MESSAGE_CHARACTERS:
        raise HTTPError(413, "the message is too large", "body_too_large")
    return object_of(text)


def settings_of(values: dict[str, Any], state: ServerState) -> SpeechRequest:
    """The session's settings, checked like a speech request."""
    nested = values.get("session")
    values = nested if isinstance(nested, dict) else values
    known = ("voice", "model", "response_format", "speed", "seed", "sample_rate", "instructions")
    given = {name: values[name] for name in known if name in values}
    return speech_request({"response_format": "pcm", **given, "input": "-"}, state.config)


async def listen(session: Session) -> None:
    """Take messages until the client closes."""
    while True:
        values = await message_of(session.socket, IDLE_SECONDS)
        match values.get("type"):
            case "input.text" if isinstance(values.get("text"), str):
                session.hear(values["text"])
            case "input.done":
                session.flush()
            case "input.cancel":
                session.stop()
            case "session.close":
                return
            case _:
                pass


async def converse(socket: WebSocket, state: ServerState) -> None:
    """A whole session."""
    values = await message_of(socket, CONFIG_SECONDS)
    settings = settings_of(values, state)
    session = Session(socket, state, settings, state.models.find(settings.model))
    job_of(settings, session.service, state)  # an unknown voice is told at once
    speaking = asyncio.ensure_future(session.speak_all())
    listening = asyncio.ensure_future(listen(session))
    try:
        done, _ = await asyncio.wait([speaking, listening], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in (speaking, listening):
            task.cancel()
        if session.ticket is not None:
            session.ticket.cancel()


def refuse(socket: WebSocket, state: ServerState) -> HTTPError | None:
    """Why a WebSocket may not be opened, if there is a reason."""
    headers = Headers(scope=socket.scope)
    try:
        check_host(headers, state.config)
        check_key(headers, state.config)
        if not origin_allowed(headers, state.config):
            raise HTTPError(403, "pages of this origin may not use the server", "origin")
        if state.draining or state.open_sockets >= state.config.websockets:
            raise HTTPError(503, "the server has no room for another session", "busy")
    except HTTPError as problem:
        return problem
    return None


def endpoint(state: ServerState) -> Callable[[WebSocket], Awaitable[None]]:
    """The route's handler."""

    async def handle(socket: WebSocket) -> None:
        await socket.accept()
        if (problem := refuse(socket, state)) is not None:
            await socket.send_text(json.dumps({"type": "error", "message": problem.message}))
            await socket.close(FULL if problem.status == 503 else REFUSED)
            return
        state.open_sockets += 1
        try:
            await converse(socket, state)
            await socket.close()
        except WebSocketDisconnect:
            pass
        except TimeoutError:
            await socket.close(REFUSED, "nothing came in time")
        except Exception as error:
            await socket.send_text(
                json.dumps({"type": "error", "message": http_error_of(error).message})
            )
            await socket.close(REFUSED)
        finally:
            state.open_sockets -= 1

    return handle
