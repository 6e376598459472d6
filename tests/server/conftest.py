"""A running server for tests: real sockets, a tiny model of random weights, a thread of its own."""

import asyncio
import http.client
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest


@pytest.fixture
def server_log(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[logging.LogRecord]]:
    """What the server logs, whatever other tests of this process made of its logger."""
    records = list[logging.LogRecord]()
    logger, handler = logging.getLogger("mamtra.server"), logging.Handler()
    monkeypatch.setattr(handler, "emit", records.append)
    monkeypatch.setattr(logger, "disabled", False)
    before = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield records
    logger.removeHandler(handler)
    logger.setLevel(before)


@dataclass
class Running:
    """A server in a thread.

    Attributes:
        state: what its routes share.
        server: uvicorn's.
    """

    state: Any
    server: Any
    port: int
    thread: threading.Thread

    @property
    def service(self) -> Any:
        """The service of its first model."""
        return self.state.models.default

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        """One request; status, headers and body of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            if isinstance(body, (dict, list)):
                body = json.dumps(body)
                headers = {"content-type": "application/json"} | (headers or {})
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, told, answer.read()
        finally:
            connection.close()

    def speak(self, text: str, **values: Any) -> tuple[int, dict[str, str], bytes]:
        """``POST /v1/audio/speech``."""
        return self.ask("POST", "/v1/audio/speech", {"input": text, **values})

    def spoken(self, text: str, voice: str | None = None) -> bytes:
        """What a voice, or the default one, makes of a text, as samples of 16 bits."""
        pieces = self.service.synthesizer.stream(text, voice)
        samples = np.concatenate([piece.samples for piece in pieces])
        return (np.clip(samples, -1, 1) * 32767).round().astype("<i2").tobytes()

    def connect(self) -> socket.socket:
        """A raw connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def post_raw(self, values: dict[str, Any]) -> socket.socket:
        """A speech request on a raw connection, whose answer nobody has read yet."""
        body = json.dumps(values).encode()
        head = (
            f"POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        raw = self.connect()
        raw.sendall(head.encode() + body)
        return raw

    def wait_for(self, condition: Callable[[], bool], seconds: float = 30.0) -> float:
        """Wait until something holds; how long that took."""
        begun = time.monotonic()
        pause = threading.Event()
        while not condition():
            assert time.monotonic() - begun < seconds, "it never happened"
            pause.wait(0.002)
        return time.monotonic() - begun


def start(folder: Path, **settings: Any) -> Running:
    """Start a server around a model."""
    from mamtra.server.config import ServeConfig
    from mamtra.server.run import Server, open_models, open_socket, uvicorn_config

    config = ServeConfig(**{"port": 0, "drain_seconds": 10.0} | settings)
    listener = open_socket(config)
    state = open_models([str(folder)], config, "cpu", 1)
    server = Server(uvicorn_config(state), state)
    thread = threading.Thread(
        target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True
    )
    thread.start()
    running = Running(state, server, listener.getsockname()[1], thread)
    running.wait_for(lambda: server.started)
    return running


def stop(running: Running) -> None:
    """End a server, and what it speaks."""
    running.server.should_exit = True
    running.thread.join(30)
    assert not running.thread.is_alive()


@pytest.fixture(scope="module")
def running(tiny_model_folder: Path) -> Iterator[Running]:
    """A server with the default settings."""
    pytest.importorskip("starlette")
    pytest.importorskip("uvicorn")
    made = start(tiny_model_folder, slots=4, queue=8, allow_upload=True)
    yield made
    stop(made)


@pytest.fixture
def start_server(tiny_model_folder: Path) -> Iterator[Callable[..., Running]]:
    """Starts servers with settings of their own, and ends them."""
    pytest.importorskip("starlette")
    pytest.importorskip("uvicorn")
    made: list[Running] = []

    def begin(folder: Path = tiny_model_folder, **settings: Any) -> Running:
        made.append(start(folder, **settings))
        return made[-1]

    yield begin
    for one in made:
        stop(one)
