"""deploy/ray_serve.py on a local cluster: the same application, the same answers."""

import http.client
import importlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("starlette")
ray = pytest.importorskip("ray")
serve = pytest.importorskip("ray.serve", reason="ray is there without its extra 'serve'")

DEPLOY = Path(__file__).parents[2] / "deploy"
TEXT = "Good morning. It is warm today."


def free_port() -> int:
    """A port that nobody uses."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture
def port(tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A local cluster that serves a tiny model."""
    monkeypatch.syspath_prepend(str(DEPLOY))  # replicas import it as well
    module = importlib.import_module("ray_serve")
    variables = {"MAMTRA_MODEL": str(tiny_model_folder), "MAMTRA_API_KEY": "k1"}
    paths = os.pathsep.join([str(DEPLOY), os.environ.get("PYTHONPATH", "")])
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        runtime_env={"env_vars": {**variables, "PYTHONPATH": paths}},
    )
    found = free_port()
    serve.start(http_options={"host": "127.0.0.1", "port": found})
    try:
        serve.run(module.app, name="speech", route_prefix="/")
        yield found
    finally:
        serve.shutdown()
        ray.shutdown()


def ask(port: int, method: str, path: str, values: dict | None = None, key: str = "k1"):
    """Status, headers and body of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
        connection.request(method, path, json.dumps(values) if values else None, headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


@pytest.mark.slow
def test_a_replica_speaks_streams_and_refuses_as_a_server_alone(port: int, running) -> None:
    form = {"response_format": "pcm", "sample_rate": "native", "seed": 3}
    status, _, data = ask(port, "POST", "/v1/audio/speech", {"input": TEXT, **form})
    assert status == 200
    assert data == running.speak(TEXT, **form)[2]
    status, _, data = ask(port, "POST", "/v1/audio/speech", {"input": TEXT, "voice": "nobody"})
    assert (status, json.loads(data)["error"]["code"]) == (400, "voice_not_found")
    assert ask(port, "GET", "/v1/models", key="wrong")[0] == 401
    assert ask(port, "GET", "/ready")[0] == 200
