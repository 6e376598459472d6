"""``mamtra fetch``: the one command that gets a model over the network."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer


def fetch(
    name: Annotated[str, typer.Argument(help="owner/name on huggingface.co, or owner/name@tag.")],
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
    as_json: Annotated[bool, typer.Option("--json", help="Report as one JSON line.")] = False,
) -> None:
    """Fetch a model from huggingface.co; afterwards its name works without network.

    mamtra fetch FunAudioLLM/CosyVoice2-0.5B

    mamtra fetch FunAudioLLM/CosyVoice2-0.5B -o CosyVoice2-0.5B
    """
    from mamtra.checkpoints.hub import COSYVOICE2, fetch
    from mamtra.checkpoints.locate import CONFIG

    folder = fetch(name, output, tuple(only or ()))
    print(json.dumps({"name": name, "path": str(folder)}) if as_json else folder)
    given = output or name
    if name.startswith(COSYVOICE2):
        print(f"next: mamtra import cosyvoice2 {given} -o cosyvoice2", file=sys.stderr)
    elif (folder / CONFIG).is_file():
        print(f'next: mamtra say "Hello." --model {given}', file=sys.stderr)
