"""``mamtra serve`` as processes: one that is told to stop, several of which one is killed."""

import http.client
import json
import multiprocessing
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, ClassVar

import pytest

from mamtra.errors import MamtraError, ModelError

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")

from mamtra.server.run import run_workers

SENTENCES = "One sentence is finished after the other. " * 8
SECONDS = 120.0  # on a machine that does other things


@dataclass
class Process:
    """A server and what it said.

    Attributes:
        port: where it listens.
        lines: of its standard error.
        opened: connections and answers, closed at the end.
    """

    popen: subprocess.Popen[str]
    port: int = 0
    lines: list[str] = field(default_factory=list)
    opened: list[Any] = field(default_factory=list)
    more: threading.Condition = field(default_factory=threading.Condition)

    def read(self) -> None:
        """Take standard error line by line."""
        assert self.popen.stderr is not None
        for line in self.popen.stderr:
            with self.more:
                self.lines.append(line)
                self.more.notify_all()

    def wait_for_lines(self, pattern: str, count: int) -> str:
        """The last of so many lines that match."""

        def found() -> list[str]:
            return [line for line in self.lines if re.search(pattern, line)]

        with self.more:
            assert self.more.wait_for(lambda: len(found()) >= count, SECONDS), self.lines
            return found()[-1]

    @property
    def workers(self) -> list[int]:
        """Processes that it started, but for Python's own helpers."""
        children = Path(f"/proc/{self.popen.pid}/task/{self.popen.pid}/children").read_text()
        return [
            int(child)
            for child in children.split()
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
        ]

    def ask(self, text: str) -> http.client.HTTPResponse:
        """A stream whose first bytes are there."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        body = json.dumps({"input": text, "response_format": "pcm"})
        connection.request("POST", "/v1/audio/speech", body, {"content-type": "application/json"})
        self.opened += [connection, answer := connection.getresponse()]
        return answer


def alive(pid: int) -> bool:
    """Whether a process runs: one that nobody has asked about may be left as a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@contextmanager
def serving(folder: Path, *options: str, workers: int = 1) -> Iterator[Process]:
    """A server process, ended at the end."""
    command = [sys.executable, "-m", "mamtra", "serve", str(folder), "--port", "0", *options]
    popen = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    process = Process(popen)
    reader = threading.Thread(target=process.read)
    reader.start()
    try:
        address = process.wait_for_lines("^serving .* at http://", workers)
        process.port = int(address.rsplit(":", 1)[1].strip("/\n"))
        yield process
    finally:
        for one in process.opened:
            one.close()
        popen.terminate()
        with suppress(subprocess.TimeoutExpired):
            popen.wait(60)
        popen.kill()
        popen.wait()
        reader.join()
        if popen.stderr is not None:
            popen.stderr.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_lets_running_streams_end_whole(tiny_model_folder: Path, workers: int) -> None:
    with serving(tiny_model_folder, "--workers", str(workers), workers=workers) as process:
        answer = process.ask(SENTENCES)
        first = answer.read(1000)
        process.popen.send_signal(signal.SIGTERM)
        whole = first + answer.read()  # http.client raises if the end of the chunks is missing
        assert process.popen.wait(60) in (0, 128 + signal.SIGTERM)
    with serving(tiny_model_folder) as process:
        assert process.ask(SENTENCES).read() == whole


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc to find workers")
def test_a_killed_worker_is_replaced_and_the_others_go_on(tiny_model_folder: Path) -> None:
    with serving(tiny_model_folder, "--workers", "2", workers=2) as process:
        before = process.workers
        assert len(before) == 2
        whole = process.ask(SENTENCES).read()
        answers = [process.ask(SENTENCES) for _ in range(4)]
        for answer in answers:
            answer.read(100)
        os.kill(before[0], signal.SIGKILL)
        for answer in answers:
            try:
                assert answer.read() == whole[100:]
            except (http.client.HTTPException, OSError):  # it was the killed one's
                assert process.ask(SENTENCES).read() == whole
        process.wait_for_lines(r"a worker ended with -9; starting another", 1)
        process.wait_for_lines("^serving .* at http://", 3)
        after = process.workers
        assert len(after) == 2
        assert set(after) & set(before) == {before[1]}
        assert process.ask(SENTENCES).read() == whole


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc to find workers")
def test_workers_end_with_the_process_that_started_them(tiny_model_folder: Path) -> None:
    with serving(tiny_model_folder, "--workers", "2", workers=2) as process:
        workers = process.workers
        process.popen.kill()
        process.popen.wait()
    # ``serving`` has joined the reader, which ends when no worker holds the pipe any more
    assert not any(map(alive, workers))


def test_a_server_with_wyoming_speaks_and_stops(tiny_model_folder: Path) -> None:
    # wyoming imports a module that Python 3.13 drops, for which it has its own then
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pytest.importorskip("wyoming.server")
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    with serving(tiny_model_folder, "--wyoming", f"tcp://127.0.0.1:{port}") as process:
        with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as client:
            client.sendall(b'{"type": "describe"}\n')
            assert b'"info"' in client.recv(4096)
            answer = process.ask(SENTENCES)
            process.popen.send_signal(signal.SIGTERM)
            assert answer.read()  # whole: http.client raises if the end of the chunks is missing
        assert process.popen.wait(60) in (0, 128 + signal.SIGTERM)
        assert not any("Traceback" in line for line in process.lines)


def test_workers_that_cannot_load_their_model_end_the_server(
    tiny_model_folder: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_model_folder, tmp_path / "broken")
    (folder / "speech_lm.safetensors").write_bytes(b"broken")
    command = [sys.executable, "-m", "mamtra", "serve", str(folder), "--port", "0"]
    ended = subprocess.run(
        [*command, "--workers", "2"], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert ended.returncode == ModelError.exit_code
    assert re.fullmatch(r"error: [^\n]*speech_lm[^\n]*\n", ended.stderr)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc to find workers")
def test_a_worker_that_is_killed_while_it_loads_ends_the_server(tiny_model_folder: Path) -> None:
    command = [sys.executable, "-m", "mamtra", "serve", str(tiny_model_folder), "--port", "0"]
    popen = subprocess.Popen([*command, "--workers", "2"], stderr=subprocess.PIPE, text=True)
    process = Process(popen)
    begun = time.monotonic()
    while not process.workers:
        assert time.monotonic() - begun < SECONDS
    os.kill(process.workers[0], signal.SIGKILL)
    _, told = popen.communicate(timeout=SECONDS)
    assert popen.returncode == MamtraError.exit_code
    assert "error: a worker ended with -9 before it was ready\n" in told


class Starting(BaseProcess):
    """Stands in for a process that is told to stop while it starts its first worker."""

    started: ClassVar[list["Starting"]] = []

    def __init__(self, **_: Any) -> None:
        self.terminated = False

    def start(self) -> None:
        self.started.append(self)
        os.kill(os.getpid(), signal.SIGTERM)

    def terminate(self) -> None:
        self.terminated = True

    def join(self, timeout: float | None = None) -> None:
        del timeout
        assert self.terminated, "it would be waited for without an end"


def test_a_signal_while_workers_are_started_ends_them(monkeypatch: pytest.MonkeyPatch) -> None:
    context = multiprocessing.get_context("spawn")
    monkeypatch.setattr(type(context), "Process", Starting)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        run_workers(3, ())
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert [worker.terminated for worker in Starting.started] == [True]
