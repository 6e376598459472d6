"""``mamtra import``: another project's checkpoint into a model folder of ours."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from mamtra.errors import ConfigError, ModelError

KINDS = ("cosyvoice2", "mamtra")


def import_(
    kind: Annotated[str, typer.Argument(help="cosyvoice2, or mamtra (the official 1:1).")],
    source: Annotated[Path, typer.Argument(help="CosyVoice 2's folder, or MamTra's checkpoint.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The new model folder.")],
    dtype: Annotated[
        str, typer.Option("--dtype", help="float32, bfloat16 or float16 on disk.")
    ] = "float32",
    parts: Annotated[
        str | None, typer.Option("--parts", help="For mamtra: the imported CosyVoice 2.")
    ] = None,
) -> None:
    """Turn another project's checkpoint into a model folder, once.

    mamtra import cosyvoice2 CosyVoice2-0.5B -o cosyvoice2 --dtype bfloat16

    mamtra import mamtra model.pt -o mamtra-1-1 --parts cosyvoice2
    """
    if kind not in KINDS:
        raise ConfigError(f"kind {kind!r} is unknown; possible are {', '.join(KINDS)}")
    if kind == "mamtra":
        import_official(source, output, dtype, parts)
        return

    # torch loads here and not for --help
    from mamtra.checkpoints.import_cosyvoice import import_cosyvoice2
    from mamtra.checkpoints.precision import dtype_named

    report = import_cosyvoice2(source, output, dtype_named(dtype))
    print(report.table())
    print(f"{output}: copied {', '.join(report.copied)}", file=sys.stderr)
    for warning in report.warnings():
        print(f"warning: {warning}", file=sys.stderr)


def import_official(source: Path, output: Path, dtype: str, parts: str | None) -> None:
    """Write the official MamTra speech LM, with the other parts of an imported CosyVoice 2.

    Raises:
        ModelError: no parts were given, or they are for another speech vocabulary.
    """
    if parts is None:
        raise ModelError(
            "MamTra's checkpoint holds no decoder; import cosyvoice2 first and give it as --parts"
        )
    from dataclasses import asdict

    from mamtra.checkpoints.format import ModelFolder, save_part, write_config
    from mamtra.checkpoints.locate import locate
    from mamtra.checkpoints.new_folder import check_vacant, new_folder
    from mamtra.checkpoints.official import load_official
    from mamtra.checkpoints.precision import dtype_named
    from mamtra.transfer.student_folder import bring_along

    kept, donor = dtype_named(dtype), ModelFolder(locate(parts))
    check_vacant(output)
    model, told = load_official(source)
    name = output.resolve().name
    with new_folder(output) as folder:
        config = bring_along(donor, folder, name, asdict(model.config), share=False)
        save_part(model, folder / "speech_lm.safetensors", kept)
        write_config(folder, config)
    print(
        f"used {len(told.tensors)}, again {len(told.aliases)}, unused {len(told.unused)}, fresh 0"
    )
    print(f"{output}: unused {', '.join(told.unused) or 'nothing'}", file=sys.stderr)
