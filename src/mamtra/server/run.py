"""Starting and stopping a server process, or several that share a port."""

import asyncio
import errno
import math
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

import uvicorn
from uvicorn.protocols.websockets.auto import AutoWebSocketsProtocol

from mamtra.errors import ConfigError, MamtraError
from mamtra.server.app import make_app
from mamtra.server.config import ServeConfig
from mamtra.server.header_timeout import PunctualProtocol
from mamtra.server.metrics import Metrics
from mamtra.server.models import Models, ServerState
from mamtra.server.private_log import begin_log, note_lost_error
from mamtra.server.reading_timeout import STEPS, dropping
from mamtra.server.service import Service
from mamtra.server.wyoming_server import check_address, start_wyoming
from mamtra.synthesis.load import load

IDLE_SECONDS = 10  # for an idle connection to send its next request
BACKLOG = 128
LOOK_SECONDS = 0.05  # how often a server that drains looks whether it still speaks
RESTART_SECONDS = 1.0  # between the end of a worker and its successor


def refused_address(config: ServeConfig, problem: Exception) -> ConfigError:
    """Why an address cannot be listened at, and which option to change."""
    unknown = isinstance(problem, socket.gaierror | UnicodeError)
    if unknown or getattr(problem, "errno", None) == errno.EADDRNOTAVAIL:
        return ConfigError(
            f"host {config.host!r} is no address of this computer: {problem}; give --host "
            "127.0.0.1 for this computer alone, or 0.0.0.0 for all of its addresses"
        )
    return ConfigError(
        f"cannot listen at {config.host}:{config.port}: {problem}; choose another --port"
    )


def open_socket(config: ServeConfig) -> socket.socket:
    """The listening socket; taken before models are loaded, so that a taken port is told at once.

    Raises:
        ConfigError: the address is taken or not ours.
    """
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((config.host, config.port))
    except (OSError, OverflowError, UnicodeError) as problem:
        listener.close()
        raise refused_address(config, problem) from problem
    listener.listen(BACKLOG)
    listener.set_inheritable(True)
    return listener


def open_models(
    names: Sequence[str], config: ServeConfig, device: str, threads: int
) -> ServerState:
    """Load models and start their services.

    Raises:
        MamtraError: a model cannot be loaded.
    """
    metrics = Metrics()
    services = {}
    for name in names:
        synthesizer = load(name, device, threads=threads, streams=config.slots)
        services[synthesizer.name] = Service(synthesizer, config, metrics)
    return ServerState(config, Models(services), metrics)


class Server(uvicorn.Server):
    """uvicorn, which goes on answering while it drains: that it is being stopped."""

    def __init__(self, config: uvicorn.Config, state: ServerState) -> None:
        super().__init__(config)
        self.state = state

    def handle_exit(self, sig: int, frame: object) -> None:
        """Stop taking requests; a second signal stops at once."""
        self.state.draining = True
        super().handle_exit(sig, frame)  # pyright: ignore[reportArgumentType]

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close once nothing is spoken any more; what ``drain_seconds`` end is cut off."""
        self.state.draining = True
        until = time.monotonic() + self.state.config.drain_seconds
        while self.state.speaks and not self.force_exit and time.monotonic() < until:
            await asyncio.sleep(LOOK_SECONDS)
        # for uvicorn, which closes the address and waits until everything was sent
        left = max(0.0, until - time.monotonic())
        self.config.timeout_graceful_shutdown = None if math.isinf(left) else math.ceil(left)
        await super().shutdown(sockets)


def uvicorn_config(state: ServerState) -> uvicorn.Config:
    """How uvicorn runs the application."""
    seconds = STEPS * state.config.write_seconds
    return uvicorn.Config(
        make_app(state),
        http=dropping(PunctualProtocol, seconds),
        ws=dropping(AutoWebSocketsProtocol, seconds),
        log_config=None,  # its own would write the messages of errors
        log_level="warning",
        access_log=False,
        timeout_keep_alive=IDLE_SECONDS,
        ws_max_size=64 * 1024,
        server_header=False,
    )


async def serve(
    state: ServerState, listener: socket.socket, wyoming: str | None, quiet: bool
) -> None:
    """Serve until a signal comes."""
    config = state.config
    asyncio.get_running_loop().set_exception_handler(note_lost_error)
    server = Server(uvicorn_config(state), state)
    side = None if wyoming is None else await start_wyoming(state, wyoming)
    if not quiet:
        host, port = listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        names = ", ".join(state.models.services)
        # in one write: several workers share standard error
        sys.stderr.write(f"serving {names} at http://{shown}:{port}{config.root_path}/\n")
        sys.stderr.flush()
    await server.serve(sockets=[listener])
    if side is not None:
        await side.stop()


def serve_process(
    names: Sequence[str],
    config: ServeConfig,
    listener: socket.socket,
    device: str,
    threads: int,
    wyoming: str | None,
    quiet: bool,
    ready: Callable[[], None] | None = None,
) -> None:
    """One serving process, from loading to the end."""
    begin_log(quiet=quiet)
    state = open_models(names, config, device, threads)
    if ready is not None:
        ready()
    asyncio.run(serve(state, listener, wyoming, quiet))


def end_with_parent() -> None:
    """Stop this process, as by SIGTERM, once the one that started it has gone."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def serve_worker(told: Connection, *arguments: Any) -> None:
    """One of several serving processes.

    Args:
        told: gets None when all is loaded, or what kept this process from it.
        arguments: as for ``serve_process``.
    """
    end_with_parent()
    try:
        serve_process(*arguments, ready=lambda: told.send(None))
    except MamtraError as problem:
        told.send(problem)
        sys.exit(problem.exit_code)


@dataclass(frozen=True, slots=True)
class Worker:
    """A serving process, and the end of the pipe that it tells how its start went."""

    process: BaseProcess
    told: Connection

    def problem(self) -> MamtraError | None:
        """What kept this process, which has ended, from serving; None if it served."""
        try:
            return self.told.recv()
        except EOFError:
            return MamtraError(f"a worker ended with {self.process.exitcode} before it was ready")


class Workers:
    """Serving processes that share one socket.

    Args:
        arguments: as for ``serve_process``.
    """

    def __init__(self, arguments: tuple) -> None:
        self.arguments, self.context = arguments, multiprocessing.get_context("spawn")
        self.running: dict[int, Worker] = {}
        self.stopping = False

    def start(self, index: int) -> None:
        """Start the worker of a number, unless all are being stopped."""
        if self.stopping:
            return
        receiving, sending = self.context.Pipe(duplex=False)
        process = self.context.Process(target=serve_worker, args=(sending, *self.arguments))
        process.start()
        sending.close()
        self.running[index] = Worker(process, receiving)
        if self.stopping:  # since the signal came while it started
            process.terminate()

    def stop(self, *_: object) -> None:
        """Let all end, and start no more; also a signal's handler."""
        self.stopping = True
        for worker in self.running.values():
            worker.process.terminate()

    def replace_ended(self) -> None:
        """Start a successor of each worker that has ended.

        Raises:
            MamtraError: one ended before it was ready, as its successors would.
        """
        for index, worker in list(self.running.items()):
            if worker.process.is_alive() or self.stopping:
                continue
            if (problem := worker.problem()) is not None:
                raise problem
            code = worker.process.exitcode
            print(f"a worker ended with {code}; starting another", file=sys.stderr)
            time.sleep(RESTART_SECONDS)
            self.start(index)


def run_workers(count: int, arguments: tuple) -> None:
    """Keep so many processes serving one socket; one that dies is replaced.

    Raises:
        MamtraError: one died before it was ready.
    """
    workers = Workers(arguments)
    signal.signal(signal.SIGTERM, workers.stop)
    signal.signal(signal.SIGINT, workers.stop)
    try:
        for index in range(count):
            workers.start(index)
        while not workers.stopping:
            wait([worker.process.sentinel for worker in workers.running.values()], RESTART_SECONDS)
            workers.replace_ended()
    finally:
        if not workers.stopping:  # a second signal would cut off what is spoken
            workers.stop()
        for worker in workers.running.values():
            worker.process.join()


def run(
    names: Sequence[str],
    config: ServeConfig,
    *,
    device: str,
    threads: int,
    workers: int,
    wyoming: str | None,
    quiet: bool,
) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Raises:
        MamtraError: an address is taken or none, a package is missing, or a model cannot be loaded.
    """
    if workers > 1 and wyoming is not None:
        raise ConfigError("--wyoming is for one process; leave --workers out")
    if wyoming is not None:
        check_address(wyoming, config)
    listener = open_socket(config)
    arguments = (names, config, listener, device, threads, wyoming, quiet)
    with listener:
        if workers == 1:
            serve_process(*arguments)
        else:
            run_workers(workers, arguments)
