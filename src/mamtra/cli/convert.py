"""``mamtra convert``: make a hybrid student from an attention teacher."""

import json
import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mamtra.checkpoints.locate import locate
from mamtra.errors import LayoutError

if TYPE_CHECKING:
    from mamtra.backbone import Layout


def read_ratio(ratio: str) -> tuple[int, int]:
    """Attention and Mamba of a ratio written as ``1:3``.

    Raises:
        LayoutError: it is not written so.
    """
    if not (found := re.fullmatch(r"(\d+):(\d+)", ratio.strip())):
        raise LayoutError(
            f"ratio {ratio!r} is not two numbers; write attention:Mamba, for example 1:3"
        )
    return int(found[1]), int(found[2])


def read_layers(layers: str) -> list[int]:
    """Layer numbers written as ``0,2,5``.

    Raises:
        LayoutError: they are not written so.
    """
    numbers = [number.strip() for number in layers.split(",")]
    if not all(number.isdecimal() for number in numbers):
        raise LayoutError(
            f"layers {layers!r} are not numbers; write the attention layers as 0,2,5 (0 is first)"
        )
    return [int(number) for number in numbers]


def wanted_layout(
    layers: int, ratio: str | None, placement: str | None, listed: str | None
) -> "Layout":
    """The layout that the options ask for.

    Raises:
        LayoutError: they ask for none, for two that differ, or for an impossible one.
    """
    from mamtra.backbone import Layout

    if listed is not None:
        if placement is not None:
            raise LayoutError("--placement and --layers both place the attention; give one of them")
        layout = Layout.of(read_layers(listed), layers)
        if ratio is not None:
            attention, mamba = read_ratio(ratio)
            by_ratio = Layout.repeat(attention, mamba, layers)
            if len(by_ratio.attention_layers) != len(layout.attention_layers):
                raise LayoutError(
                    f"--layers keeps {len(layout.attention_layers)} of {layers} layers, --ratio "
                    f"{ratio} keeps {len(by_ratio.attention_layers)}; give one of them"
                )
        return layout
    if ratio is None:
        raise LayoutError("no layout was given; say --ratio 1:1, or --layers 0,2,5")
    return Layout.named(placement or "block-begin", *read_ratio(ratio), layers)


def convert(
    teacher: Annotated[str, typer.Argument(help="A built-in model or a folder.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The student's new folder.")],
    ratio: Annotated[str | None, typer.Option("--ratio", help="Attention:Mamba, as 1:3.")] = None,
    placement: Annotated[
        str | None,
        typer.Option(
            "--placement",
            help="block-begin (default), block-end, front, middle, back or sandwich.",
        ),
    ] = None,
    layers: Annotated[
        str | None, typer.Option("--layers", help="Layers that stay attention, as 0,2,5.")
    ] = None,
    start: Annotated[
        str, typer.Option("--start", help="Mamba starts: attention, xavier, kaiming or random.")
    ] = "attention",
    share_parts: Annotated[
        bool, typer.Option("--share-parts", help="Refer to the other parts, do not copy them.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Report as one JSON line.")] = False,
) -> None:
    """Make a hybrid student from an attention teacher, with a report; nothing is trained.

    mamtra convert nano-teacher -o student --ratio 1:1

    mamtra convert nano-teacher -o student --layers 0,2,5
    """
    folder = locate(teacher)

    # torch loads here and not for --help
    from mamtra.backbone import as_config
    from mamtra.checkpoints.format import ModelFolder
    from mamtra.speech_lm import SpeechLMConfig
    from mamtra.transfer.convert import REPORT, convert

    opened = ModelFolder(folder)
    config = opened.section("speech_lm", SpeechLMConfig)
    layout = wanted_layout(as_config(config.backbone).layers, ratio, placement, layers)
    report = convert(opened, output, layout, start=start, share_parts=share_parts)
    print(json.dumps(asdict(report)) if as_json else report.table())
    print(f"{output}: {report.layout}, not trained yet; tensors in {REPORT}", file=sys.stderr)
