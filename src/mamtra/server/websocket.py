"""Text that arrives over a WebSocket, spoken as it comes: vLLM-Omni's dialogue, which LiveKit's
clients speak.

    client                                server
    session.config {voice, speed, ...}
    input.text {text} ...                 audio.start, binary frames, audio.done for each sentence
    input.done                            session.done
    input.cancel                          audio.cancelled
    session.close

A session has any number of utterances, each ended by ``input.done``; a later ``session.config``
holds from the next sentence on. With ``timestamp_type: "word"``, ``audio.done`` tells when each
word of the sentence is heard. A message that nobody knows, or a text that is none, is answered by
``error`` and the session goes on; what is no JSON object in a text frame ends it.
The protocol: https://docs.vllm.ai/projects/vllm-omni (WebSocket /v1/audio/speech/stream).
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.datastructures import Headers
from starlette.websockets import WebSocket, WebSocketDisconnect

from mamtra.server.guarding import check_host, check_key, origin_allowed
from mamtra.server.http_errors import HTTPError, http_error_of, stopping
from mamtra.server.models import ServerState
from mamtra.server.session import Session
from mamtra.server.speech_request import object_of

CONFIG_SECONDS = 10.0  # for the first message
MESSAGES = ("session.config", "input.text", "input.done", "input.cancel", "session.close")
MESSAGE_CHARACTERS = 64 * 1024
REFUSED = 1008  # WebSocket close code: policy violation
FULL = 1013  # try again later


async def message_of(socket: WebSocket, seconds: float | None) -> dict[str, Any]:
    """The next message, as an object with a type.

    Raises:
        HTTPError: it is too large, no text or no JSON object.
        TimeoutError: none came.
        WebSocketDisconnect: the client has gone.
    """
    received = await asyncio.wait_for(socket.receive(), seconds)
    if received["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(received["code"], received.get("reason"))
    if (text := received.get("text")) is None:
        raise HTTPError(
            400, "a binary frame was sent, and only text is read; send JSON as text", "invalid_json"
        )
    if len(text) > MESSAGE_CHARACTERS:
        raise HTTPError(413, "the message is too large", "body_too_large")
    return object_of(text)


def not_understood(values: dict[str, Any]) -> str:
    """What a client is told whose message means nothing."""
    shown = repr(values.get("type"))[:80]
    return f"message type {shown} is unknown; possible are {', '.join(MESSAGES)}"


async def listen(session: Session) -> None:
    """Take messages until the client closes."""
    while True:
        session.count_idle()
        values = await message_of(session.socket, None)
        match values.get("type"):
            case "session.config":
                session.configure(values)
            case "input.text":
                text = values.get("text")
                if isinstance(text, str):
                    await session.hear(text)
                else:
                    shown = "nothing" if text is None else repr(text)[:80]
                    told = f"the text of input.text is {shown}; give it as a string"
                    await session.tell("error", message=told)
            case "input.done":
                session.flush()
            case "input.cancel":
                session.stop()
            case "session.close":
                return
            case _:
                await session.tell("error", message=not_understood(values))


async def listen_until_idle(session: Session) -> None:
    """Take messages until the client closes.

    Raises:
        TimeoutError: none came while nothing was to be spoken.
    """
    try:
        async with asyncio.timeout(None) as session.idle:
            await listen(session)
    finally:
        session.idle = None


async def converse(socket: WebSocket, state: ServerState) -> None:
    """A whole session."""
    values = await message_of(socket, CONFIG_SECONDS)
    if (kind := values.get("type")) != "session.config":
        first = f"{kind} came first; begin with session.config"
        told = first if kind in MESSAGES else not_understood(values)
        raise HTTPError(400, told, "invalid_value", "type")
    session = Session(socket, state)
    session.configure(values)
    speaking = asyncio.ensure_future(session.speak_all())
    listening = asyncio.ensure_future(listen_until_idle(session))
    try:
        done, _ = await asyncio.wait([speaking, listening], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in (speaking, listening):
            task.cancel()
        session.end(session.under_way)
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
        if state.draining:
            raise stopping()
        if state.open_sockets >= state.config.websockets:
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
            problem = http_error_of(error)
            await socket.send_text(json.dumps({"type": "error", "message": problem.message}))
            await socket.close(FULL if problem.status == 503 else REFUSED)
        finally:
            state.open_sockets -= 1

    return handle
