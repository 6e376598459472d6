"""What an operator decides about a server: address, keys, bounds and waiting times."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from mamtra.errors import ConfigError

JSON_BYTES = 64 * 1024  # largest body of a request that holds no recording
BROWSER_MODEL = "model/manifest.json"  # of mamtra export --to web
UPLOAD_BYTES = 10 * 1024 * 1024  # largest recording


def is_loopback(host: str) -> bool:
    """Whether only this computer reaches an address to listen at."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeConfig:
    """Settings of one server process.

    Attributes:
        host: address to listen at; other computers reach the server unless it is loopback.
        port: TCP port, 0 for any free one.
        api_keys: keys that are accepted; none means that no key is asked for.
        no_auth: the operator knows that everybody who reaches the address may speak.
        slots: texts spoken at once, as rows of one batch.
        queue: texts that may wait; more are refused.
        queue_seconds: longest time that a text waits.
        max_chars: longest text of a request.
        batch_items: most texts of a batch request.
        cors: origins of web pages that may use the server, beside its own page.
        root_path: path under which a proxy offers the server, as ``/tts``.
        allow_upload: whether voices may be made from uploaded recordings.
        drain_seconds: how long running streams may take to end after SIGTERM.
        write_seconds: a client that reads nothing for so long is cut off.
        websockets: most open WebSockets.
        page: whether ``/`` shows the page.
        browser: folder of ``mamtra export nano --to web``, for the page's switch "speak in this
            browser"; without it the switch says how to make one.
        mark: whether sound files say in their metadata that their speech is artificial.
        proofread: whether speech ids that say their text badly are drawn anew, by models that can
            tell; the first sound of each piece then waits for all of its ids.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    api_keys: tuple[str, ...] = ()
    no_auth: bool = False
    slots: int = 4
    queue: int = 16
    queue_seconds: float = 30.0
    max_chars: int = 4096
    batch_items: int = 32
    cors: tuple[str, ...] = ()
    root_path: str = ""
    allow_upload: bool = False
    drain_seconds: float = 30.0
    write_seconds: float = 30.0
    websockets: int = 16
    page: bool = True
    mark: bool = True
    proofread: bool = True
    browser: Path | None = None

    def __post_init__(self) -> None:
        for name in ("slots", "max_chars", "batch_items", "websockets"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}={getattr(self, name)} must be at least 1")
        for name in ("queue", "queue_seconds", "drain_seconds", "write_seconds"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"{name}={getattr(self, name)} must not be negative")
        if self.browser is not None and not (self.browser / BROWSER_MODEL).is_file():
            raise ConfigError(
                f"{str(self.browser)!r} holds no {BROWSER_MODEL}; make the folder with mamtra "
                "export nano --to web"
            )
        if not 0 <= self.port <= 65_535:
            raise ConfigError(f"port {self.port} is not possible; give one from 0 to 65535")
        if self.root_path and not self.root_path.startswith("/"):
            raise ConfigError(f"root path {self.root_path!r} must begin with /, as in /tts")
        if not (self.loopback or self.api_keys or self.no_auth):
            raise ConfigError(
                f"host {self.host!r} can be reached by other computers and no key is set; give "
                "--api-key or MAMTRA_API_KEY, or --no-auth if everybody may use it"
            )

    @property
    def loopback(self) -> bool:
        """Whether only this computer reaches the server."""
        return is_loopback(self.host)
