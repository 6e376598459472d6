"""``mamtra convert``: make a hybrid student from an attention teacher."""

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_type_hints

import typer

from mamtra.checkpoints.locate import locate
from mamtra.errors import ConfigError, LayoutError

if TYPE_CHECKING:
    from mamtra.backbone import Layout, MambaConfig
    from mamtra.checkpoints.format import ModelFolder
    from mamtra.speech_lm import Batch

SWITCHES = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


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


def read_value(name: str, value: str, kind: Any) -> Any:
    """A value of the Mamba layers' config from its text.

    Raises:
        ConfigError: it is not of its kind.
    """
    if kind is bool:
        if value.lower() not in SWITCHES:
            raise ConfigError(f"--mamba {name}={value} is neither true nor false")
        return SWITCHES[value.lower()]
    if kind in (int, float):
        try:
            return kind(value)
        except ValueError as problem:
            what = "whole number" if kind is int else "number"
            raise ConfigError(f"--mamba {name}={value} is not a {what}") from problem
    if (possible := get_args(kind)) and value not in possible:
        raise ConfigError(f"--mamba {name}={value} is unknown; possible are {', '.join(possible)}")
    return value


def wanted_mamba(pairs: Sequence[str], before: "MambaConfig") -> "MambaConfig":
    """The Mamba layers' config with the values that the options ask for.

    Args:
        pairs: each written as ``name=value``.
        before: what they change.

    Raises:
        ConfigError: a pair is not written so, a name is unknown, or a value cannot work.
    """
    kinds, values = get_type_hints(type(before)), {}
    for pair in pairs:
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not equals or name not in kinds:
            raise ConfigError(
                f"--mamba {pair!r} is not NAME=VALUE with one of the names {', '.join(kinds)}"
            )
        values[name] = read_value(name, value, kinds[name])
    return replace(before, **values)


def teachers_speech(
    teacher: "ModelFolder", output: Path, sentences: int, seed: int
) -> "list[Batch]":
    """What the teacher says of some held-out sentences."""
    from mamtra.checkpoints.new_folder import check_vacant
    from mamtra.corpus.synthetic.sentences import held_out_sentences
    from mamtra.distillation.self_data import spoken_sequences
    from mamtra.synthesis.synthesizer import Synthesizer

    check_vacant(output)
    print(f"the teacher speaks {sentences} sentences", file=sys.stderr)
    return spoken_sequences(Synthesizer(teacher), held_out_sentences()[:sentences], seed)


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
    form: Annotated[
        str | None,
        typer.Option("--form", help="Of the Mamba layers: parity (the paper's), open, portable."),
    ] = None,
    mamba: Annotated[
        list[str] | None,
        typer.Option("--mamba", help="One value of that form, as conv_width=2; repeatable."),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Of everything that starts at random.")
    ] = 0,
    solve: Annotated[
        int,
        typer.Option(
            "--solve",
            min=0,
            help="Solve the new output projections on so many sentences that the teacher speaks.",
        ),
    ] = 0,
    share_parts: Annotated[
        bool, typer.Option("--share-parts", help="Refer to the other parts, do not copy them.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Report as one JSON line.")] = False,
) -> None:
    """Make a hybrid student from an attention teacher, with a report; nothing is trained.

    mamtra convert nano-teacher -o student --ratio 1:1

    mamtra convert nano-teacher -o student --layers 0,2,5

    mamtra convert nano-teacher -o student --ratio 1:3 --form portable --mamba conv_width=2

    mamtra convert nano-teacher -o student --ratio 1:1 --form open --solve 40
    """
    folder = locate(teacher)

    # torch loads here and not for --help
    from mamtra.backbone import as_config
    from mamtra.backbone.mixers.mamba import as_mamba
    from mamtra.checkpoints.format import ModelFolder
    from mamtra.speech_lm import SpeechLMConfig
    from mamtra.transfer.convert import REPORT, convert
    from mamtra.transfer.forms import form_named

    opened = ModelFolder(folder)
    config = opened.section("speech_lm", SpeechLMConfig)
    backbone = as_config(config.backbone)
    layout = wanted_layout(backbone.layers, ratio, placement, layers)
    before = as_mamba(backbone.mamba) if form is None else form_named(form)
    report = convert(
        opened,
        output,
        layout,
        start=start,
        mamba=wanted_mamba(mamba or (), before),
        seed=seed,
        share_parts=share_parts,
        sequences=teachers_speech(opened, output, solve, seed) if solve else (),
    )
    print(json.dumps(asdict(report)) if as_json else report.table())
    print(f"{output}: {report.layout}, not trained yet; tensors in {REPORT}", file=sys.stderr)
