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
word of the sentence is heard. Messages that nobody knows are ignored.
The protocol: https://docs.vllm.ai/projects/vllm-omni (WebSocket /v1/audio/speech/stream).
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.datastructures import Headers
from starlette.websockets import WebSocket, WebSocketDisconnect

from mamtra.server.guarding import check_host, check_key, origin_allowed
from mamtra.server.http_errors import HTTPError, http_error_of
from mamtra.server.models import ServerState
from mamtra.server.session import Session
from mamtra.server.speech_request import object_of

CONFIG_SECONDS = 10.0  # for the first message
MESSAGE_CHARACTERS = 64 * 1024
REFUSED = 1008  # WebSocket close code: policy violation
FULL = 1013  # try again later


async def message_of(socket: WebSocket, seconds: float | None) -> dict[str, Any]:
    """The next message, as an object with a type.

    Raises:
        HTTPError: it is too large or no JSON object.
        TimeoutError: none came.
    """
    text = await asyncio.wait_for(socket.receive_text(), seconds)
    if len(text) > MESSAGE_CHARACTERS:
        raise HTTPError(413, "the message is too large", "body_too_large")
    return object_of(text)


async def listen(session: Session) -> None:
    """Take messages until the client closes."""
    while True:
        session.count_idle()
        values = await message_of(session.socket, None)
        match values.get("type"):
            case "session.config":
                session.configure(values)
            case "input.text" if isinstance(values.get("text"), str):
                await session.hear(values["text"])
            case "input.done":
                session.flush()
            case "input.cancel":
                session.stop()
            case "session.close":
                return
            case _:
                pass


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
