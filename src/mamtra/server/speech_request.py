"""The body of ``POST /v1/audio/speech``: OpenAI's fields and ours, checked one by one.

Fields that nobody knows are ignored, as OpenAI's clients add some; a known field with a wrong value
is refused with what is possible.
"""

import asyncio
import json
import re
import unicodedata
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect, Request

from mamtra.audio.time_stretch import FASTEST, SLOWEST
from mamtra.server.config import JSON_BYTES, ServeConfig
from mamtra.server.encoding import CONTENT_TYPES, check_rate
from mamtra.server.http_errors import HTTPError, client_gone
from mamtra.synthesis.options import HIGHEST_SEED

MODEL_ALIASES = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts")  # what clients send by habit
VOICE_ALIASES = (
    "alloy",
    "ash",
    "ballad",
    "cedar",
    "coral",
    "echo",
    "fable",
    "marin",
    "nova",
    "onyx",
    "sage",
    "shimmer",
    "verse",
)
BODY_SECONDS = 30.0  # for the whole body
STREAM_FORMATS = ("audio", "sse")
DEFAULT_FORMAT = "mp3"  # OpenAI's
DEFAULT_RATE_HZ = 24_000  # OpenAI's, which clients of pcm take for granted
LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 8_000, 48_000
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechRequest:
    """What a client wants to hear.

    Attributes:
        text: in Unicode's composed form, without control characters.
        model: a name that the server offers, or an alias.
        voice: a voice's name or an alias; None for the model's default.
        streamed: the client asked for sound as it is made (``stream_format`` "audio").
        sse: sound in server-sent events.
        rate_hz: None for the model's own.
        ignored: fields that were given and mean nothing here.
    """

    text: str
    model: str | None = None
    voice: str | None = None
    instructions: str | None = None
    format_name: str = DEFAULT_FORMAT
    speed: float = 1.0
    streamed: bool = False
    sse: bool = False
    seed: int = 0
    rate_hz: int | None = DEFAULT_RATE_HZ


async def read_body(request: Request, limit: int = JSON_BYTES) -> bytes:
    """The body, counted while it arrives.

    Raises:
        HTTPError: 413, it is larger than the limit; 408, it does not come, or the client goes.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > limit:
                    raise HTTPError(
                        413, f"the body is larger than {limit} bytes; send less", "body_too_large"
                    )
    except ClientDisconnect as left:
        raise client_gone() from left
    except TimeoutError as late:
        raise HTTPError(
            408, f"the body did not come within {BODY_SECONDS:g} seconds", "slow_body"
        ) from late
    return bytes(body)


async def read_json(request: Request, limit: int = JSON_BYTES) -> dict[str, Any]:
    """The JSON object in the body.

    Raises:
        HTTPError: 415, 413 or 400: another content type, too large, or no JSON object.
    """
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip()
    if kind.lower() != "application/json":
        raise HTTPError(
            415, f"content type {kind!r} is not read here; send application/json", "content_type"
        )
    return object_of(await read_body(request, limit))


def object_of(body: bytes | str) -> dict[str, Any]:
    """A JSON object.

    Raises:
        HTTPError: 400, it is none.
    """
    try:
        values = json.loads(body)
    except (ValueError, RecursionError) as broken:
        raise HTTPError(400, f"the body is not JSON: {broken}", "invalid_json") from broken
    if not isinstance(values, dict):
        raise HTTPError(400, "the body is not a JSON object; send {...}", "invalid_json")
    return values


def refuse(name: str, value: object, possible: str) -> HTTPError:
    """A field with a value that is not possible."""
    shown = repr(value)
    shown = shown if len(shown) <= 80 else f"{shown[:77]}..."
    return HTTPError(400, f"{name} {shown} is not possible; {possible}", "invalid_value", name)


def text_of(values: dict[str, Any], name: str, limit: int) -> str:
    """A text field, cleaned.

    Raises:
        HTTPError: 400, it is missing, no text, too long, or holds nothing.
    """
    value = values.get(name)
    if not isinstance(value, str):
        raise refuse(name, value, "give the text to speak")
    if len(value) > limit:
        raise HTTPError(
            400,
            f"{name} holds {len(value)} characters; at most {limit} are spoken in one request",
            "input_too_long",
            name,
        )
    try:
        value.encode()
    except UnicodeEncodeError as broken:
        raise refuse(name, value, "it holds half a character (a lone surrogate)") from broken
    cleaned = CONTROL.sub("", unicodedata.normalize("NFC", value))
    if not cleaned.strip():
        raise HTTPError(
            400, f"{name} holds nothing to speak; give at least one word", "empty_input", name
        )
    return cleaned


def word_of(values: dict[str, Any], name: str) -> str | None:
    """An optional field of one word or sentence; an object with an ``id`` stands for it."""
    value = values.get(name)
    if isinstance(value, dict):
        value = value.get("id")
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > 4096:
        raise refuse(name, value, "give a short text")
    return value


def choice_of(
    values: dict[str, Any], name: str, possible: tuple[str, ...], default: str | None
) -> str | None:
    """An optional field with a few possible values."""
    value = values.get(name)
    if value is None:
        return default
    if value not in possible:
        raise refuse(name, value, f"give one of {', '.join(possible)}")
    return value


def number_of(
    values: dict[str, Any], name: str, least: float | int, most: float | int, default: float | int
) -> float | int:
    """An optional number in a range, never clamped in silence."""
    value = values.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
        raise refuse(name, value, f"give a number from {least:g} to {most:g}")
    return value


def whole_of(values: dict[str, Any], name: str, least: int, most: int, default: int) -> int:
    """An optional whole number in a range."""
    value = number_of(values, name, least, most, default)
    if value != int(value):
        raise refuse(name, value, "give a whole number")
    return int(value)


def speech_request(values: dict[str, Any], config: ServeConfig) -> SpeechRequest:
    """Check the fields of a speech request.

    Raises:
        HTTPError: 400, naming the field and what is possible.
    """
    format_name = choice_of(values, "response_format", tuple(CONTENT_TYPES), DEFAULT_FORMAT)
    stream_format = choice_of(values, "stream_format", STREAM_FORMATS, None)
    rate: int | None = None
    if values.get("sample_rate") != "native":
        rate = whole_of(values, "sample_rate", LOWEST_RATE_HZ, HIGHEST_RATE_HZ, DEFAULT_RATE_HZ)
        check_rate(str(format_name), rate)
    return SpeechRequest(
        text=text_of(values, "input", config.max_chars),
        model=word_of(values, "model"),
        voice=word_of(values, "voice"),
        instructions=word_of(values, "instructions"),
        format_name=str(format_name),
        speed=float(number_of(values, "speed", SLOWEST, FASTEST, 1.0)),
        streamed=stream_format == "audio",
        sse=stream_format == "sse",
        seed=whole_of(values, "seed", 0, HIGHEST_SEED, 0),
        rate_hz=rate,
    )
