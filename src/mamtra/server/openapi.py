"""``GET /openapi.json``: the routes described for programs that make clients."""

from collections.abc import Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

import mamtra
from mamtra.audio.time_stretch import FASTEST, SLOWEST
from mamtra.server.encoding import CONTENT_TYPES
from mamtra.server.models import ServerState
from mamtra.server.speech_request import (
    DEFAULT_FORMAT,
    DEFAULT_RATE_HZ,
    HIGHEST_RATE_HZ,
    LOWEST_RATE_HZ,
    STREAM_FORMATS,
)
from mamtra.server.voice_routes import NAME

ERRORS = {
    "400": "A field is wrong; the message names it and what is possible.",
    "401": "No valid API key.",
    "404": "No such model.",
    "413": "The body is too large.",
    "429": "The queue is full; come again after Retry-After seconds.",
    "503": "The server is starting, stopping, or nothing became free in time.",
}

HEADERS = {
    "X-Sample-Rate": "Samples a second.",
    "X-Ignored": "Fields that mean nothing to the model, if there are any.",
    "X-Notes": "What is left out of the text or read otherwise than it looks, if anything is; "
    'percent-encoded, joined by "; ".',
    "X-Stop-Reason": "How a file that is not streamed ended.",
    "X-Audio-Seconds": "How long a file that is not streamed is.",
    "X-Coverage": "The share of words that were read, where the model can tell.",
    "X-Misread": "How wrong the worst piece still is in nats, if any is.",
}

UPLOAD = {
    "type": "object",
    "required": ["name", "consent", "audio_sample"],
    "properties": {
        "name": {
            "type": "string",
            "pattern": f"^{NAME.pattern}$",
            "description": "Of the new voice; not one of the model's voices or their aliases.",
        },
        "consent": {"type": "string", "description": "The speaker's consent in words."},
        "ref_text": {"type": "string", "description": "What is said in the recording."},
        "audio_sample": {
            "type": "string",
            "format": "binary",
            "description": "A recording of 3 to 30 seconds, as WAV, FLAC, OGG or MP3.",
        },
    },
}


def speech_schema(most_characters: int) -> dict[str, Any]:
    """The body of a speech request."""
    properties: dict[str, Any] = {
        "input": {"type": "string", "maxLength": most_characters, "description": "What to say."},
        "model": {"type": "string", "description": "A served model, or an alias of OpenAI's."},
        "voice": {"type": "string", "description": "A voice of the model."},
        "instructions": {"type": "string", "description": "How to speak, where a model can."},
        "response_format": {"enum": list(CONTENT_TYPES), "default": DEFAULT_FORMAT},
        "speed": {"type": "number", "minimum": SLOWEST, "maximum": FASTEST, "default": 1.0},
        "stream_format": {"enum": list(STREAM_FORMATS)},
        "seed": {"type": "integer", "minimum": 0, "default": 0},
        "sample_rate": {
            "anyOf": [
                {"type": "integer", "minimum": LOWEST_RATE_HZ, "maximum": HIGHEST_RATE_HZ},
                {"const": "native"},
            ],
            "default": DEFAULT_RATE_HZ,
        },
    }
    return {"type": "object", "required": ["input"], "properties": properties}


def operation(summary: str, body: dict[str, Any] | None = None, answer: str = "OK") -> dict:
    """One operation of a path."""
    told: dict[str, Any] = {
        "summary": summary,
        "responses": {"200": {"description": answer}}
        | {status: {"description": text} for status, text in ERRORS.items()},
    }
    if body is not None:
        told["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return told


def with_headers(told: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """An operation whose answer has some of ``HEADERS``."""
    headers = {name: {"description": HEADERS[name], "schema": {"type": "string"}} for name in names}
    told["responses"]["200"]["headers"] = headers
    return told


async def describe(request: Request, state: ServerState) -> Response:
    """The whole description."""
    del request
    speech = speech_schema(state.config.max_chars)
    items = {"type": "array", "maxItems": state.config.batch_items, "items": speech}
    paths = {
        "/v1/audio/speech": {
            "post": with_headers(operation("Speak a text.", speech, "Sound, or events."), HEADERS)
        },
        "/v1/audio/speech/batch": {
            "post": operation(
                "Speak several texts.", {"type": "object", "properties": {"items": items}}
            )
        },
        "/dev/captioned_speech": {
            "post": with_headers(
                operation("Sound with the times of its words, as JSON lines.", speech), ["X-Notes"]
            )
        },
        "/v1/models": {"get": operation("The models.")},
        "/v1/models/{name}": {"get": operation("One of the models, or an alias.")},
        "/v1/audio/models": {"get": operation("The models.")},
        "/v1/audio/voices": {
            "get": operation("The voices of a model."),
            "post": operation("Make a voice from a recording, where that is allowed.")
            | {
                "requestBody": {
                    "required": True,
                    "content": {"multipart/form-data": {"schema": UPLOAD}},
                }
            },
        },
        "/v1/audio/voices/{name}": {"delete": operation("Forget a voice made from a recording.")},
        "/health": {"get": operation("Whether the process lives.")},
        "/ready": {"get": operation("Whether it takes requests.")},
        "/metrics": {"get": operation("Counters for Prometheus.")},
    }
    return JSONResponse(
        {
            "openapi": "3.1.0",
            "info": {"title": "mamtra", "version": mamtra.__version__},
            "servers": [{"url": state.config.root_path or "/"}],
            "paths": paths,
            "components": {
                "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            },
            "security": [{"key": []}] if state.config.api_keys else [],
        }
    )
