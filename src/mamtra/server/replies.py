"""Speech as an HTTP reply: whole, as a stream of bytes, or as server-sent events.

The first sound is awaited before any header leaves, so that whatever goes wrong until then is a
plain HTTP error. After that an error ends the connection without the end that chunked transfer
needs, so that no client takes half a sound for the whole.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from mamtra.audio.time_stretch import TimeStretch
from mamtra.server.encoding import CONTENT_TYPES, WHOLE, Encoder, Resampler, encoder_for
from mamtra.server.http_errors import http_error_of
from mamtra.server.speech_request import SpeechRequest
from mamtra.server.ticket import Ticket
from mamtra.synthesis.speech import least_coverage
from mamtra.synthesis.stream import AudioPiece
from mamtra.synthesis.synthesizer import Synthesizer

NOTES_BETWEEN = "; "  # in the header; a semicolon within a note is percent-encoded
NOTES_PLAIN = " ,:'<>/"  # characters of a note that need no encoding, beside letters and digits
COMMENT_SECONDS = 2.0  # a comment of server-sent events, before clients think that nobody is there


class Output:
    """Turns pieces of speech into bytes: speed, rate, format; and counts what it saw."""

    def __init__(self, wanted: SpeechRequest, synthesizer: Synthesizer, mark: bool = True) -> None:
        rate_hz = synthesizer.rate
        self.rate_hz = wanted.rate_hz or rate_hz
        self.encode = synthesizer.reader.encode
        self.encoder: Encoder = encoder_for(
            wanted.format_name,
            self.rate_hz,
            streamed=wanted.streamed or wanted.sse,
            mark=mark,
        )
        self.stretch = TimeStretch(rate_hz, wanted.speed)
        self.resampler = Resampler(rate_hz, self.rate_hz)
        self.samples = self.text_tokens = self.speech_tokens = 0
        self.stop_reason, self.state_bytes = "end", 0
        self.coverage: float | None = None
        self.misread = 0.0
        self.seconds: dict[str, float] = {}

    def note(self, piece: AudioPiece) -> None:
        """Take the account of a finished piece."""
        if (spoken := piece.spoken) is None:
            return
        self.speech_tokens += len(spoken.speech_tokens)
        self.text_tokens += len(self.encode(spoken.text))
        self.state_bytes = max(self.state_bytes, spoken.state_bytes)
        self.coverage = least_coverage([self.coverage, spoken.coverage])
        self.misread = max(self.misread, spoken.misread)
        if self.stop_reason == "end":
            self.stop_reason = spoken.stop_reason

    def push(self, piece: AudioPiece) -> bytes:
        """Take a piece; the bytes that can be sent by now."""
        self.note(piece)
        samples = self.resampler.push(self.stretch.push(piece.samples))
        self.samples += len(samples)
        return self.encoder.push(samples)

    def finish(self) -> bytes:
        """The bytes that are left."""
        samples = self.resampler.push(self.stretch.finish(), last=True)
        self.samples += len(samples)
        rest = self.encoder.push(samples) if len(samples) else b""
        return rest + self.encoder.finish()

    @property
    def audio_seconds(self) -> float:
        """Sound that left."""
        return self.samples / self.rate_hz

    def usage(self) -> dict[str, int]:
        """What OpenAI calls usage: ids of the text that was read, and speech tokens."""
        return {
            "input_tokens": self.text_tokens,
            "output_tokens": self.speech_tokens,
            "total_tokens": self.text_tokens + self.speech_tokens,
        }


def notes_header(notes: Sequence[str]) -> dict[str, str]:
    """The header ``X-Notes``, if there are notes: percent-encoded UTF-8, joined by "; ".

    Each of the three kinds of notes quotes 30 characters at most, so that it stays below 1,500.
    """
    if not notes:
        return {}
    return {"X-Notes": NOTES_BETWEEN.join(quote(note, safe=NOTES_PLAIN) for note in notes)}


async def whole_reply(
    wanted: SpeechRequest, ticket: Ticket, output: Output, headers: dict[str, str]
) -> Response:
    """The whole file, with its length."""
    parts = []
    async for piece in ticket:
        parts.append(output.push(piece))
    parts.append(output.finish())
    headers |= {
        "X-Stop-Reason": output.stop_reason,
        "X-Audio-Seconds": f"{output.audio_seconds:.3f}",
    }
    if output.coverage is not None:
        headers["X-Coverage"] = f"{output.coverage:.3f}"
    if output.misread:
        headers["X-Misread"] = f"{output.misread:.3f}"
    return Response(b"".join(parts), 200, headers, CONTENT_TYPES[wanted.format_name])


async def streamed_reply(
    wanted: SpeechRequest, ticket: Ticket, output: Output, headers: dict[str, str]
) -> Response:
    """Bytes as they are made."""
    pieces = aiter(ticket)
    head = b""
    while not head and (first := await anext(pieces, None)) is not None:
        head = output.push(first)

    async def body() -> AsyncIterator[bytes]:
        try:
            if head:
                yield head
            async for piece in pieces:
                if data := output.push(piece):
                    yield data
            yield output.finish()
        finally:
            ticket.cancel()

    return StreamingResponse(body(), 200, headers, CONTENT_TYPES[wanted.format_name])


def event(kind: str, **values: Any) -> bytes:
    """One server-sent event in OpenAI's form."""
    return b"data: " + json.dumps({"type": kind, **values}).encode() + b"\n\n"


def tokens_of(piece: AudioPiece) -> dict[str, Any]:
    """What a page draws beside the sound: where the piece ended and what it took."""
    told: dict[str, Any] = {"piece": piece.piece, "state_bytes": piece.state_bytes}
    if piece.spoken is not None:
        told |= {
            "text": piece.spoken.text,
            "speech_tokens": piece.spoken.speech_tokens,
            "stop_reason": piece.spoken.stop_reason,
        }
    return told


async def event_reply(ticket: Ticket, output: Output, headers: dict[str, str]) -> Response:
    """Server-sent events: deltas of sound, then the account."""
    pieces = aiter(ticket)
    first = asyncio.ensure_future(anext(pieces, None))
    await asyncio.wait([first], timeout=COMMENT_SECONDS)
    if first.done():
        first.result()  # an error before any sound is a plain HTTP error

    async def body() -> AsyncIterator[bytes]:
        upcoming = first
        try:
            while True:
                done, _ = await asyncio.wait([upcoming], timeout=COMMENT_SECONDS)
                if not done:
                    yield b": still speaking\n\n"
                    continue
                if (piece := upcoming.result()) is None:
                    break
                data = output.push(piece)
                if data or piece.spoken is not None:
                    encoded = base64.b64encode(data).decode()
                    yield event("speech.audio.delta", audio=encoded, mamtra=tokens_of(piece))
                upcoming = asyncio.ensure_future(anext(pieces, None))
            if rest := output.finish():
                yield event("speech.audio.delta", audio=base64.b64encode(rest).decode())
            yield event(
                "speech.audio.done",
                usage=output.usage(),
                stop_reason=output.stop_reason,
                audio_seconds=round(output.audio_seconds, 3),
                state_bytes=output.state_bytes,
                misread=round(output.misread, 3),
                notes=ticket.job.notes,
            )
        except Exception as error:
            yield event("speech.audio.error", **http_error_of(error).body())
        finally:
            upcoming.cancel()
            ticket.cancel()

    return StreamingResponse(body(), 200, headers, "text/event-stream")


async def reply(
    wanted: SpeechRequest, ticket: Ticket, output: Output, ignored: list[str]
) -> Response:
    """The reply in the form that was asked for."""
    headers = {"X-Sample-Rate": str(output.rate_hz), "X-Accel-Buffering": "no"}
    headers |= notes_header(ticket.job.notes)
    if ignored:
        headers["X-Ignored"] = ", ".join(ignored)
    try:
        if wanted.sse:
            return await event_reply(ticket, output, headers)
        if wanted.format_name in WHOLE and not wanted.streamed:
            return await whole_reply(wanted, ticket, output, headers)
        return await streamed_reply(wanted, ticket, output, headers)
    except BaseException:
        ticket.cancel()
        raise
