"""``mamtra import``: another project's checkpoint into a model folder of ours."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mamtra.errors import ConfigError, ModelError

if TYPE_CHECKING:
    from mamtra.interop.import_cosyvoice import Import

import_ = typer.Typer(no_args_is_help=True)

Output = Annotated[Path, typer.Option("--output", "-o", help="The new model folder.")]
Dtype = Annotated[str | None, typer.Option("--dtype", help="float32, bfloat16 or float16 on disk.")]
Shard = Annotated[
    float, typer.Option("--shard-gb", help="Larger weights are cut into files of so many GB.")
]
GB = 1024**3


def shard_size(gigabytes: float) -> int:
    """Bytes of a file of weights.

    Raises:
        ConfigError: it is too small to be meant.
    """
    if not gigabytes >= 0.001:
        raise ConfigError(f"--shard-gb {gigabytes:g} is too small; give at least 0.001")
    return int(gigabytes * GB)


def notice(file: str) -> None:
    """Say what is being read, if somebody watches."""
    if sys.stderr.isatty():
        print(f"reading {file}", file=sys.stderr)


def tell(report: "Import", output: Path) -> None:
    """Print what was used, unused and fresh, and what is missing."""
    print(report.table())
    print(f"{output}: copied {', '.join(report.copied) or 'no other files'}", file=sys.stderr)
    for warning in report.warnings():
        print(f"warning: {warning}", file=sys.stderr)


@import_.command("cosyvoice2")
def import_cosyvoice(
    source: Annotated[str, typer.Argument(help="CosyVoice 2's folder, or its name if fetched.")],
    output: Output,
    dtype: Dtype = None,
    shard_gb: Shard = 2.0,
) -> None:
    """Turn the folder that CosyVoice 2 publishes into a model folder, once.

    mamtra import cosyvoice2 CosyVoice2-0.5B -o cosyvoice2 --dtype bfloat16
    """
    from mamtra.checkpoints.locate import source_folder

    folder, size = source_folder(source), shard_size(shard_gb)

    # torch loads here and not for --help
    from mamtra.checkpoints.precision import dtype_named
    from mamtra.interop.import_cosyvoice import import_cosyvoice2

    kept = dtype_named(dtype or "float32")
    tell(import_cosyvoice2(folder, output, kept, size, notice), output)


@import_.command("cosyvoice3")
def import_third(
    source: Annotated[str, typer.Argument(help="CosyVoice 3's folder, or its name if fetched.")],
    output: Output,
    dtype: Dtype = None,
    shard_gb: Shard = 2.0,
    reinforced: Annotated[
        bool, typer.Option("--rl", help="Take the language model llm.rl.pt, not llm.pt.")
    ] = False,
) -> None:
    """Turn the folder that CosyVoice 3 publishes into a model folder, once.

    mamtra import cosyvoice3 Fun-CosyVoice3-0.5B-2512 -o cosyvoice3 --dtype bfloat16
    """
    from mamtra.checkpoints.locate import source_folder

    folder, size = source_folder(source), shard_size(shard_gb)

    from mamtra.checkpoints.precision import dtype_named
    from mamtra.interop.cosyvoice_release import RELEASE3
    from mamtra.interop.import_cosyvoice import import_cosyvoice

    kept = dtype_named(dtype or "float32")
    report = import_cosyvoice(RELEASE3, folder, output, kept, size, notice, reinforced=reinforced)
    tell(report, output)


@import_.command("qwen2")
def import_plain(
    source: Annotated[str, typer.Argument(help="A folder of type qwen2, or its name if fetched.")],
    output: Output,
    speech_ids: Annotated[
        str, typer.Option("--speech-ids", help="FIRST:COUNT, where speech lies in the vocabulary.")
    ],
    end: Annotated[
        int | None, typer.Option("--end", help="Id that ends speech; config.json's if left out.")
    ] = None,
    start: Annotated[
        int | None, typer.Option("--start", help="Id that begins a sequence, if there is one.")
    ] = None,
    task: Annotated[
        int | None, typer.Option("--task", help="Id between text and speech, if there is one.")
    ] = None,
    dtype: Dtype = None,
    shard_gb: Shard = 2.0,
) -> None:
    """Take over a Qwen2 whose vocabulary holds speech, to convert and export it; it cannot speak.

    mamtra import qwen2 FOLDER -o speech-lm --speech-ids 151665:6561 --end 158226
    """
    from mamtra.checkpoints.locate import source_folder

    folder, size = source_folder(source), shard_size(shard_gb)

    from mamtra.checkpoints.precision import dtype_named
    from mamtra.interop.import_qwen2 import SpeechIds, import_qwen2, read_range

    first, count = read_range(speech_ids)
    ids = SpeechIds(first=first, count=count, end=end, start=start, task=task)
    kept = None if dtype is None else dtype_named(dtype)
    tell(import_qwen2(folder, output, ids, kept, size), output)


@import_.command("chatterbox")
def import_resemble(
    source: Annotated[
        str, typer.Argument(help="Chatterbox's folder, its t3 file, or its name if fetched.")
    ],
    output: Output,
    codec: Annotated[
        str,
        typer.Option("--codec", help="s3gen: decoder and vocoder too, if there; none: without."),
    ] = "s3gen",
    dtype: Dtype = None,
    shard_gb: Shard = 2.0,
) -> None:
    """Take over Chatterbox: its language model, and decoder and vocoder where their file is.

    mamtra import chatterbox ResembleAI/chatterbox -o chatterbox --dtype bfloat16
    """
    if codec not in (possible := ("s3gen", "none")):
        raise ConfigError(f"codec {codec!r} is unknown; possible are {' and '.join(possible)}")
    from mamtra.checkpoints.locate import source_folder

    place, size = source_folder(source), shard_size(shard_gb)

    from mamtra.checkpoints.precision import dtype_named
    from mamtra.interop.import_chatterbox import import_chatterbox

    kept = None if dtype is None else dtype_named(dtype)
    report = import_chatterbox(place, output, kept, size, codec=codec == "s3gen")
    tell(report, output)


@import_.command("mamtra")
def import_official(
    source: Annotated[
        str, typer.Argument(help="The published checkpoint: a file, a folder, a fetched name.")
    ],
    output: Output,
    parts: Annotated[
        str | None,
        typer.Option("--parts", help="CosyVoice 2 for all else: imported, or as published."),
    ] = None,
    dtype: Dtype = None,
    shard_gb: Shard = 2.0,
) -> None:
    """Take over the official 1:1 hybrid, with the other parts of an imported CosyVoice 2.

    mamtra import mamtra model.pt -o mamtra-1-1 --parts cosyvoice2

    mamtra import mamtra blueskyheaven/mamtra11 -o mamtra-1-1 --parts FunAudioLLM/CosyVoice2-0.5B
    """
    if parts is None:
        raise ModelError(
            "MamTra's checkpoint holds no decoder; import cosyvoice2 first and give it as --parts"
        )
    size = shard_size(shard_gb)

    from mamtra.checkpoints.locate import source_folder
    from mamtra.checkpoints.precision import dtype_named
    from mamtra.interop.import_mamtra import checkpoint_file, import_official, opened_parts

    kept = dtype_named(dtype or "float32")
    file = checkpoint_file(source_folder(source))
    with opened_parts(source_folder(parts), output, kept, size, notice) as folder:
        tell(import_official(file, output, folder, kept, size), output)
