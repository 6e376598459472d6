"""``mamtra export``: write a model as graphs for onnxruntime, or in another project's form."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from mamtra.checkpoints.locate import locate
from mamtra.errors import ConfigError

FORMS = ("onnx", "web", "granite")


def export(
    model: Annotated[str, typer.Argument(help="A built-in model or a folder.")],
    to: Annotated[
        str,
        typer.Option("--to", help="onnx: graphs; web: a page that speaks; granite."),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A new folder; onnx: beside the weights if left."),
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option("--dtype", help="granite: float32, bfloat16 or float16; as stored if left."),
    ] = None,
    bits: Annotated[
        int, typer.Option("--bits", help="onnx: of the language model's matrices, 32, 16, 8 or 4.")
    ] = 32,
    standard: Annotated[
        bool, typer.Option("--standard", help="onnx: operators of the standard only, opset 27.")
    ] = False,
    runtime: Annotated[
        Path | None,
        typer.Option("--runtime", help="web: the file that npm pack onnxruntime-web gives."),
    ] = None,
) -> None:
    """Write a model as ONNX graphs, as a page that speaks, or its language model for others.

    mamtra export student --to onnx --bits 8

    mamtra export nano --to web -o site --runtime onnxruntime-web-1.30.0.tgz

    mamtra export student -o granite --to granite
    """
    if to not in FORMS:
        raise ConfigError(f"form {to!r} is unknown; possible are {', '.join(FORMS)}")
    folder = locate(model)

    # torch loads here and not for --help
    from mamtra.checkpoints.format import ModelFolder

    if to == "granite":
        from mamtra.checkpoints.precision import dtype_named
        from mamtra.interop.export import export_granite

        if output is None:
            raise ConfigError("granite needs a new folder; name it with -o")
        export_granite(ModelFolder(folder), output, None if dtype is None else dtype_named(dtype))
        print(f"{output}: ids in ids.json, the head's bias in head_bias.json", file=sys.stderr)
        return
    from mamtra.errors import require

    require("onnx", "onnx")
    if to == "web":
        from mamtra.interop.onnx.web import export_web

        if output is None or runtime is None:
            raise ConfigError(
                "a page needs a new folder (-o) and onnxruntime-web (--runtime); "
                "npm pack onnxruntime-web fetches the latter"
            )
        print(
            f"{export_web(ModelFolder(folder), output, runtime)}: serve it with any web server",
            file=sys.stderr,
        )
        return
    from mamtra.interop.onnx.export import OnnxExport, export_onnx

    made = export_onnx(ModelFolder(folder), OnnxExport(bits=bits, standard=standard), output)
    for path in made:
        print(f"{path} ({path.stat().st_size / 1000:.0f} kB)", file=sys.stderr)
