"""``mamtra export``: write the language model in another project's form."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from mamtra.checkpoints.locate import locate
from mamtra.errors import ConfigError

FORMS = ("granite",)


def export(
    student: Annotated[str, typer.Argument(help="A built-in model or a folder.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The new folder.")],
    to: Annotated[str, typer.Option("--to", help="granite: GraniteMoeHybridForCausalLM.")],
    dtype: Annotated[
        str | None, typer.Option("--dtype", help="float32, bfloat16 or float16; as stored if left.")
    ] = None,
) -> None:
    """Write the language model for transformers, vLLM and the like; speech needs our decoder.

    mamtra export student -o granite --to granite
    """
    if to not in FORMS:
        raise ConfigError(f"form {to!r} is unknown; possible are {', '.join(FORMS)}")
    folder = locate(student)

    # torch loads here and not for --help
    from mamtra.checkpoints.format import ModelFolder
    from mamtra.checkpoints.precision import dtype_named
    from mamtra.interop.export import export_granite

    export_granite(ModelFolder(folder), output, None if dtype is None else dtype_named(dtype))
    print(f"{output}: ids in ids.json, the head's bias in head_bias.json", file=sys.stderr)
