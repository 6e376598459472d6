"""Errors as OpenAI's clients expect them: a status, and ``{"error": {...}}`` in JSON."""

import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import JSONResponse

from mamtra.errors import (
    AudioError,
    ConfigError,
    GenerationError,
    MamtraError,
    MissingExtraError,
    ModelError,
    TextError,
    VoiceError,
    thread_refused,
)

log = logging.getLogger("mamtra.server")
INVALID = "invalid_request_error"  # OpenAI's type of everything that the caller can mend


def new_request_id() -> str:
    """What names a request in its answer and in the log."""
    return f"req_{uuid.uuid4().hex[:24]}"


@dataclass(eq=False)
class HTTPError(Exception):
    """A refusal with its HTTP status.

    Attributes:
        status: HTTP status.
        message: one sentence for a person.
        code: a word for a program.
        param: the field that is at fault.
        headers: of the response, as ``Retry-After``.
    """

    status: int
    message: str
    code: str
    param: str | None = None
    kind: str = INVALID
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self, request_id: str = "") -> dict[str, Any]:
        """What the client reads."""
        error: dict[str, Any] = {
            "message": self.message,
            "type": self.kind,
            "param": self.param,
            "code": self.code,
        }
        if request_id:
            error["request_id"] = request_id
        return {"error": error}

    def response(self, request_id: str = "") -> JSONResponse:
        """The HTTP response."""
        return JSONResponse(self.body(request_id), self.status, dict(self.headers))


def busy(message: str, seconds: float, status: int = 429) -> HTTPError:
    """The server has no room now; when to come again."""
    wait = max(1, round(seconds))
    kind, code = ("rate_limit_error", "queue_full") if status == 429 else ("server_error", "busy")
    return HTTPError(status, message, code, kind=kind, headers={"Retry-After": str(wait)})


def stopping() -> HTTPError:
    """The server drains."""
    return HTTPError(
        503,
        "the server is being stopped; ask again",
        "draining",
        kind="server_error",
        headers={"Retry-After": "2"},
    )


def client_gone() -> HTTPError:
    """Nobody reads the answer; for the log and the counters."""
    return HTTPError(408, "the client has gone", "client_gone")


# class of error -> status, the field of a speech request that causes it
CAUSES: dict[type[MamtraError], tuple[int, str | None]] = {
    TextError: (400, "input"),
    VoiceError: (400, "voice"),
    AudioError: (422, None),
    MissingExtraError: (400, "response_format"),
    ConfigError: (400, None),
    ModelError: (400, None),
}


def http_error_of(error: BaseException, request_id: str = "") -> HTTPError:
    """Any exception as a refusal; what nobody foresaw is logged, and tells no more than an id.

    Args:
        error: what was raised.
        request_id: names the request in the log; a new one where it has none.
    """
    if isinstance(error, HTTPError):
        return error
    if isinstance(error, GenerationError):
        # the same text would fail again with the same seed, so a client need not repeat it
        return HTTPError(
            500,
            str(error),
            type(error).__name__,
            kind="server_error",
            headers={"x-should-retry": "false"},
        )
    if isinstance(error, MamtraError):
        for kind, (status, param) in CAUSES.items():
            if isinstance(error, kind):
                return HTTPError(status, str(error), type(error).__name__, param)
    if isinstance(error, MemoryError) or thread_refused(error):
        return busy("the server has no memory or threads left for this", 2.0, status=503)
    request_id = request_id or new_request_id()
    log.error("%s failed", request_id, exc_info=error)
    told = f"something went wrong inside the server; its log has the details of {request_id}"
    return HTTPError(500, told, "internal_error", kind="server_error")
