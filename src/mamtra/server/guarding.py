"""Who may speak to the server: keys, the Host header, the Origin of WebSockets, and CORS."""

import hmac
from collections.abc import Iterable

from starlette.datastructures import Headers

from mamtra.server.config import ServeConfig, is_loopback
from mamtra.server.http_errors import HTTPError

OPEN_PATHS = ("/health", "/ready")  # what an orchestrator asks without a key


def keys_in(headers: Headers) -> Iterable[str]:
    """The keys that a request shows: ``Bearer`` or ``Api-Key``, or ``x-api-key``."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() in ("bearer", "api-key"):
        yield value.strip()
    if "x-api-key" in headers:
        yield headers["x-api-key"]


def check_key(headers: Headers, config: ServeConfig) -> None:
    """Refuse a request without a right key, where keys are asked for.

    Raises:
        HTTPError: 401.
    """
    if not config.api_keys:
        return
    for given in keys_in(headers):
        sent = given.encode("latin-1")  # as headers are read
        # each comparison takes a time that tells nothing about the key
        if any(hmac.compare_digest(sent, key.encode()) for key in config.api_keys):
            return
    raise HTTPError(
        401,
        "no valid API key; send the header 'Authorization: Bearer KEY'",
        "invalid_api_key",
        headers={"WWW-Authenticate": "Bearer"},
    )


def name_of(host: str) -> str:
    """A host without its port."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


def check_host(headers: Headers, config: ServeConfig) -> None:
    """On loopback, refuse requests that were meant for another name.

    A page on the web can let its own name point to 127.0.0.1 (DNS rebinding); the Host header then
    still holds its name.

    Raises:
        HTTPError: 403.
    """
    name = name_of(headers.get("host", "")).lower().strip("[]")
    if config.loopback and not is_loopback(name):
        raise HTTPError(
            403,
            f"host {headers.get('host', '')!r} is not this computer; ask for localhost",
            "wrong_host",
        )


def origin_allowed(headers: Headers, config: ServeConfig) -> bool:
    """Whether a page of this origin may use the server: its own, or one that CORS names."""
    origin = headers.get("origin")
    if origin is None or origin in config.cors or "*" in config.cors:
        return True
    return origin.partition("://")[2] == headers.get("host", "")
