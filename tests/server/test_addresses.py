"""Addresses that a server cannot listen at: what is wrong is told before anything is served."""

import socket
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")

from mamtra.errors import ConfigError
from mamtra.server.config import ServeConfig
from mamtra.server.run import open_socket


@pytest.mark.parametrize("host", ["foo.bar.invalid", "a..b", "192.0.2.1"])
def test_a_host_that_is_not_ours_is_named(host: str) -> None:
    with pytest.raises(ConfigError, match="give --host ") as refused:
        open_socket(ServeConfig(host=host, port=0, no_auth=True))
    assert str(refused.value).startswith(f"host {host!r} is no address of this computer")
    assert "--port" not in str(refused.value)


def test_a_taken_port_is_named() -> None:
    with open_socket(ServeConfig(port=0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"127\.0\.0\.1:{port}: .*; choose another --port"):
            open_socket(ServeConfig(port=port))


def serve(folder: Path, wyoming: str, before: str = "pass") -> tuple[int, str]:
    """``mamtra serve --wyoming`` that is expected to end by itself: exit code, standard error."""
    arguments = ["mamtra", "serve", str(folder), "--port", "0", "--wyoming", wyoming]
    code = f"import sys; {before}; sys.argv = {arguments}\nfrom mamtra.cli.main import main\nmain()"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    return ended.returncode, ended.stderr


def test_without_the_package_wyoming_nothing_is_served(tiny_model_folder: Path) -> None:
    hidden = "sys.modules['wyoming'] = None"
    code, told = serve(tiny_model_folder, "tcp://127.0.0.1:0", hidden)
    assert code == 9
    assert "needs the package 'wyoming'" in told
    assert "serving" not in told


def test_a_wyoming_address_that_cannot_be_used_is_told_before_serving(
    tiny_model_folder: Path,
) -> None:
    with warnings.catch_warnings():  # wyoming imports a module that Python 3.13 drops
        warnings.simplefilter("ignore", DeprecationWarning)
        pytest.importorskip("wyoming.server")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        for wyoming, wanted in (
            (address, f"cannot listen at {address}"),
            ("stdio://", "Wyoming address 'stdio://' is none; give tcp://HOST:PORT"),
        ):
            code, told = serve(tiny_model_folder, wyoming)
            assert code == 3
            assert wanted in told
            assert "serving" not in told
