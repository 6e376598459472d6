"""``mamtra serve``: speech over HTTP, WebSocket and Wyoming."""

import os
from pathlib import Path
from typing import Annotated

import typer

from mamtra.checkpoints.locate import DEFAULT, locate
from mamtra.cli.options import Device, Mark, Proofread, Threads
from mamtra.errors import ConfigError

KEYS = "MAMTRA_API_KEY"


def keys_from(options: list[str], file: Path | None) -> tuple[str, ...]:
    """The keys that are accepted: from options, the environment, and a file with one a line.

    Raises:
        ConfigError: the file cannot be read, or a key is empty.
    """
    keys = [*options, *os.environ.get(KEYS, "").replace(",", " ").split()]
    if file is not None:
        try:
            keys += file.read_text(encoding="utf-8").split()
        except (OSError, UnicodeDecodeError) as problem:
            raise ConfigError(f"cannot read the keys in {str(file)!r}: {problem}") from problem
    if not all(key.strip() for key in keys):
        raise ConfigError("an API key is empty; give at least one character")
    return tuple(keys)


def serve(
    models: Annotated[
        list[str] | None,
        typer.Argument(help="Built-in models or folders; the first is the default."),
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="Port; 0 for any free one.")] = 8000,
    api_key: Annotated[
        list[str] | None,
        typer.Option("--api-key", help=f"A key that clients must send; also {KEYS}."),
    ] = None,
    api_key_file: Annotated[
        Path | None, typer.Option("--api-key-file", help="Keys, one a line.")
    ] = None,
    no_auth: Annotated[
        bool, typer.Option("--no-auth", help="Let everybody speak who reaches the address.")
    ] = False,
    slots: Annotated[int, typer.Option("--slots", min=1, help="Texts spoken at once.")] = 4,
    queue: Annotated[int, typer.Option("--queue", min=0, help="Texts that may wait.")] = 16,
    queue_seconds: Annotated[
        float, typer.Option("--queue-seconds", min=0, help="Longest wait for a slot.")
    ] = 30.0,
    max_chars: Annotated[
        int, typer.Option("--max-chars", min=1, help="Longest text of a request.")
    ] = 4096,
    cors: Annotated[
        list[str] | None, typer.Option("--cors", help="An origin whose pages may use the server.")
    ] = None,
    root_path: Annotated[
        str, typer.Option("--root-path", help="Path under which a proxy offers the server.")
    ] = "",
    allow_upload: Annotated[
        bool, typer.Option("--allow-upload", help="Let clients make voices from recordings.")
    ] = False,
    drain_seconds: Annotated[
        float, typer.Option("--drain-seconds", min=0, help="Time to finish after SIGTERM.")
    ] = 30.0,
    wyoming: Annotated[
        str | None, typer.Option("--wyoming", help="Also speak Wyoming, at tcp://HOST:PORT.")
    ] = None,
    page: Annotated[bool, typer.Option("--page/--no-page", help="Show the page at /.")] = True,
    browser: Annotated[
        Path | None,
        typer.Option("--browser", help="Folder of mamtra export --to web, for the page's switch."),
    ] = None,
    proofread: Proofread = True,
    mark: Mark = True,
    device: Device = "cpu",
    threads: Threads = 0,
    workers: Annotated[
        int, typer.Option("--workers", min=1, help="Processes that share the port.")
    ] = 1,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Log errors only.")] = False,
) -> None:
    """Serve speech: OpenAI's /v1/audio/speech, a WebSocket, Wyoming, and a page.

    mamtra serve

    curl localhost:8000/v1/audio/speech --json '{"input": "Hello."}' -o hello.mp3
    """
    names = models or [DEFAULT]
    for name in names:
        locate(name)

    from mamtra.errors import require
    from mamtra.server.config import ServeConfig

    for package in ("starlette", "uvicorn", "websockets", "python_multipart", "prometheus_client"):
        require(package, "serve")
    config = ServeConfig(
        host=host,
        port=port,
        api_keys=keys_from(api_key or [], api_key_file),
        no_auth=no_auth,
        slots=slots,
        queue=queue,
        queue_seconds=queue_seconds,
        max_chars=max_chars,
        cors=tuple(cors or ()),
        root_path=root_path.rstrip("/"),
        allow_upload=allow_upload,
        drain_seconds=drain_seconds,
        page=page,
        mark=mark,
        proofread=proofread,
        browser=browser,
    )
    from mamtra.server.run import run

    run(
        names, config, device=device, threads=threads, workers=workers, wyoming=wyoming, quiet=quiet
    )
