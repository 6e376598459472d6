"""Starting and stopping a server process, or several that share a port."""

import asyncio
import contextlib
import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Any

import uvicorn

from mamtra.errors import ConfigError
from mamtra.server.app import make_app
from mamtra.server.config import ServeConfig
from mamtra.server.header_timeout import PunctualProtocol
from mamtra.server.metrics import Metrics
from mamtra.server.models import Models, ServerState
from mamtra.server.service import Service
from mamtra.synthesis.load import load

IDLE_SECONDS = 10  # for an idle connection to send its next request
BACKLOG = 128
RESTART_SECONDS = 1.0  # between the end of a worker and its successor


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
    except (OSError, OverflowError) as problem:
        listener.close()
        raise ConfigError(
            f"cannot listen at {config.host}:{config.port}: {problem}; choose another --port"
        ) from problem
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
    """uvicorn, which says that it is draining before it closes."""

    def __init__(self, config: uvicorn.Config, state: ServerState) -> None:
        super().__init__(config)
        self.state = state

    def handle_exit(self, sig: int, frame: object) -> None:
        """Stop taking requests; a second signal stops at once."""
        self.state.draining = True
        super().handle_exit(sig, frame)  # pyright: ignore[reportArgumentType]


def uvicorn_config(state: ServerState) -> uvicorn.Config:
    """How uvicorn runs the application."""
    return uvicorn.Config(
        make_app(state),
        http=PunctualProtocol,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=round(state.config.drain_seconds),
        timeout_keep_alive=IDLE_SECONDS,
        ws_max_size=64 * 1024,
        server_header=False,
    )


async def serve(
    state: ServerState, listener: socket.socket, wyoming: str | None, quiet: bool
) -> None:
    """Serve until a signal comes."""
    config = state.config
    server = Server(uvicorn_config(state), state)
    side = None
    if wyoming is not None:
        from mamtra.server.wyoming_server import serve_wyoming

        side = asyncio.ensure_future(serve_wyoming(state.models, wyoming))
        side.add_done_callback(lambda _: setattr(server, "should_exit", True))
    if not quiet:
        host, port = listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        names = ", ".join(state.models.services)
        # in one write: several workers share standard error
        sys.stderr.write(f"serving {names} at http://{shown}:{port}{config.root_path}/\n")
        sys.stderr.flush()
    await server.serve(sockets=[listener])
    if side is not None:
        if side.done():
            side.result()
        side.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await side


def serve_process(
    names: Sequence[str],
    config: ServeConfig,
    listener: socket.socket,
    device: str,
    threads: int,
    wyoming: str | None,
    quiet: bool,
) -> None:
    """One serving process, from loading to the end."""
    logging.basicConfig(
        level=logging.WARNING if quiet else logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
        stream=sys.stderr,
    )
    state = open_models(names, config, device, threads)
    asyncio.run(serve(state, listener, wyoming, quiet))


def end_with_parent() -> None:
    """Stop this process, as by SIGTERM, once the one that started it has gone."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def serve_worker(*arguments: Any) -> None:
    """One of several serving processes; arguments as for ``serve_process``."""
    end_with_parent()
    serve_process(*arguments)


def run_workers(count: int, arguments: tuple) -> None:
    """Keep so many processes serving one socket; one that dies is replaced."""
    context = multiprocessing.get_context("spawn")
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True
        for worker in workers:
            worker.terminate()

    def start() -> BaseProcess:
        worker = context.Process(target=serve_worker, args=arguments)
        worker.start()
        return worker

    workers: list[BaseProcess] = []
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    workers += [start() for _ in range(count)]
    while not stopping:
        wait([worker.sentinel for worker in workers], RESTART_SECONDS)
        for index, worker in enumerate(workers):
            if not worker.is_alive() and not stopping:
                print(f"a worker ended with {worker.exitcode}; starting another", file=sys.stderr)
                time.sleep(RESTART_SECONDS)
                if not stopping:
                    workers[index] = start()
    for worker in workers:
        worker.join()


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
        MamtraError: the address is taken, or a model cannot be loaded.
    """
    if workers > 1 and wyoming is not None:
        raise ConfigError("--wyoming is for one process; leave --workers out")
    if wyoming is not None:
        from mamtra.server.wyoming_server import check_address

        check_address(wyoming, config)
    listener = open_socket(config)
    arguments = (names, config, listener, device, threads, wyoming, quiet)
    with listener:
        if workers == 1:
            serve_process(*arguments)
        else:
            run_workers(workers, arguments)
