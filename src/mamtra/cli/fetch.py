"""``mamtra fetch``: the one command that gets a model over the network."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from mamtra.cli.options import AsJson
from mamtra.errors import ConfigError


def fetch(
    names: Annotated[
        list[str], typer.Argument(help="owner/name on huggingface.co, or owner/name@tag.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A folder for its files; else the hub's cache."),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only", help="Fetch only files of this pattern, as '*.safetensors'; repeatable."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fetch models from huggingface.co; afterwards their names work without network.

    mamtra fetch FunAudioLLM/CosyVoice2-0.5B

    mamtra fetch FunAudioLLM/CosyVoice2-0.5B -o CosyVoice2-0.5B
    """
    if output is not None and len(names) > 1:
        raise ConfigError("-o is the folder of one model; fetch several without it, or one by one")
    for name in names:
        fetch_one(name, output, tuple(only or ()), as_json=as_json)


def fetch_one(name: str, output: Path | None, only: tuple[str, ...], *, as_json: bool) -> None:
    """Fetch one model, say where it is and what to do next.

    Raises:
        ModelError: it cannot be fetched.
    """
    from mamtra.checkpoints.hub import COSYVOICE2, COSYVOICE3, fetch
    from mamtra.checkpoints.locate import CONFIG

    folder = fetch(name, output, only)
    print(json.dumps({"name": name, "path": str(folder)}) if as_json else folder)
    given = output or name
    for published, kind in ((COSYVOICE2, "cosyvoice2"), (COSYVOICE3, "cosyvoice3")):
        if name.startswith(published):
            print(f"next: mamtra import {kind} {given} -o {kind}", file=sys.stderr)
    if (folder / CONFIG).is_file():
        print(f'next: mamtra say "Hello." --model {given}', file=sys.stderr)
