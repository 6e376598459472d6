"""``mamtra convert``: make a hybrid student from an attention teacher."""

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mamtra.checkpoints.locate import locate
from mamtra.cli.options import AsJson
from mamtra.errors import ConfigError, LayoutError

if TYPE_CHECKING:
    from mamtra.backbone import BackboneConfig, Layout
    from mamtra.backbone.mixers.variant import Variant
    from mamtra.checkpoints.format import ModelFolder
    from mamtra.speech_lm import Batch


def read_ratio(ratio: str) -> tuple[int, int]:
    """Attention and other layers of a ratio written as ``1:3``.

    Raises:
        LayoutError: it is not written so.
    """
    if not (found := re.fullmatch(r"(\d+):(\d+)", ratio.strip())):
        raise LayoutError(
            f"ratio {ratio!r} is not two numbers; write attention:other, for example 1:3"
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


def mixer_letter(name: str) -> str:
    """The letter of a mixer that can replace attention, from its letter or field name.

    Raises:
        ConfigError: there is none of that name.
    """
    from mamtra.backbone.config import KINDS
    from mamtra.transfer.forms import FROM_ATTENTION

    for letter in FROM_ATTENTION:
        if name.lower() in (letter.lower(), KINDS[letter].field):
            return letter
    possible = ", ".join(f"{letter} or {KINDS[letter].field}" for letter in FROM_ATTENTION)
    raise ConfigError(f"mixer {name!r} is unknown; possible are {possible}")


def requested_layout(
    layers: int,
    ratio: str | None = None,
    placement: str | None = None,
    listed: str | None = None,
    letters: str | None = None,
    mixer: str | None = None,
) -> "Layout":
    """The layout that the options ask for.

    Args:
        layers: of the teacher.
        ratio: as ``1:3``.
        placement: of a ratio, by name.
        listed: layers that stay attention, as ``0,2,5``.
        letters: the layout itself.
        mixer: what replaces attention, where no letters are given; Mamba where it is None.

    Raises:
        ConfigError: the mixer is unknown.
        LayoutError: they ask for none, for two that differ, or for an impossible one.
    """
    from mamtra.backbone import Layout

    if letters is not None:
        if ratio or listed or placement or mixer:
            raise LayoutError(
                "--layout names every layer; leave --ratio, --layers, --placement and --mixer out"
            )
        return Layout.parse(letters)
    kind = mixer_letter(mixer or "mamba")
    if listed is not None:
        if placement is not None:
            raise LayoutError("--placement and --layers both place the attention; give one of them")
        layout = Layout.of(read_layers(listed), layers, kind)
        if ratio is not None:
            by_ratio = Layout.repeat(*read_ratio(ratio), layers)
            if len(by_ratio.attention_layers) != len(layout.attention_layers):
                raise LayoutError(
                    f"--layers keeps {len(layout.attention_layers)} of {layers} layers, --ratio "
                    f"{ratio} keeps {len(by_ratio.attention_layers)}; give one of them"
                )
        return layout
    if ratio is None:
        raise LayoutError(
            "no layout was given; say --ratio 1:1, --layers 0,2,5 or --layout AMAM..."
        )
    return Layout.named(placement or "block-begin", *read_ratio(ratio), layers, kind)


def requested_variants(
    backbone: "BackboneConfig", layout: "Layout", form: str | None, pairs: Sequence[str]
) -> "list[Variant]":
    """The variant of each kind of mixer that a layout adds to a teacher.

    Args:
        backbone: the teacher's.
        layout: the student's.
        form: a named form; the teacher's config where it is None.
        pairs: values that change it, each written as ``name=value``.

    Raises:
        ConfigError: a kind has no such form or value.
    """
    from mamtra.backbone.config import ATTENTION, KINDS
    from mamtra.config import with_values
    from mamtra.transfer.forms import form_named

    variants: list[Variant] = []
    for letter in sorted(set(str(layout)) - {ATTENTION}):
        own = getattr(backbone, KINDS[letter].field)
        before = own if form is None else form_named(form, letter)
        variants.append(with_values(before, pairs, "--with"))
    return variants


def teachers_speech(
    teacher: "ModelFolder", output: Path, sentences: int, seed: int
) -> "list[Batch]":
    """What the teacher says of some held-out sentences."""
    from mamtra.checkpoints.new_folder import check_vacant
    from mamtra.corpus.synthetic.sentences import held_out_sentences
    from mamtra.distillation.self_data import spoken_sequences
    from mamtra.synthesis.load import open_folder

    check_vacant(output)
    print(f"the teacher speaks {sentences} sentences", file=sys.stderr)
    return spoken_sequences(open_folder(teacher), held_out_sentences()[:sentences], seed)


def convert(
    teacher: Annotated[str, typer.Argument(help="A built-in model or a folder.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The student's new folder.")],
    ratio: Annotated[
        str | None, typer.Option("--ratio", help="Attention layers to others, as 1:3.")
    ] = None,
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
    layout: Annotated[
        str | None,
        typer.Option("--layout", help="One letter per layer, as AMMM...: A attention, M, G."),
    ] = None,
    mixer: Annotated[
        str | None,
        typer.Option("--mixer", help="What replaces attention: mamba (default) or deltanet."),
    ] = None,
    start: Annotated[
        str,
        typer.Option("--start", help="New mixers start as: attention, xavier, kaiming or random."),
    ] = "attention",
    form: Annotated[
        str | None,
        typer.Option(
            "--form",
            help="Form of the new mixers: parity (as published), open (learns better, no Granite), "
            "portable (Mamba: open as far as Granite goes).",
        ),
    ] = None,
    values: Annotated[
        list[str] | None,
        typer.Option("--with", help="One value of that form, as conv_width=2; repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Random seed.")] = 0,
    solve: Annotated[
        int,
        typer.Option(
            "--solve",
            min=0,
            help="Fit the new mixers' outputs by least squares first, on so many sentences that "
            "the teacher speaks.",
        ),
    ] = 0,
    share_parts: Annotated[
        bool, typer.Option("--share-parts", help="Refer to the other parts, do not copy them.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a hybrid student from an attention teacher, with a report; nothing is trained.

    mamtra convert nano-teacher -o student --ratio 1:1

    mamtra convert nano-teacher -o student --layers 0,2,5

    mamtra convert nano-teacher -o student --layout AMGMAMGMAMGM

    mamtra convert nano-teacher -o student --ratio 1:3 --form portable --with conv_width=2

    mamtra convert nano-teacher -o student --ratio 1:1 --form open --solve 40
    """
    folder = locate(teacher)

    # torch loads here and not for --help
    from mamtra.checkpoints.format import ModelFolder
    from mamtra.speech_lm import SpeechLMConfig
    from mamtra.transfer.convert import REPORT, convert

    opened = ModelFolder(folder)
    config = opened.section("speech_lm", SpeechLMConfig)
    backbone = config.backbone
    chosen = requested_layout(backbone.layers, ratio, placement, layers, layout, mixer)
    report = convert(
        opened,
        output,
        chosen,
        start=start,
        variants=requested_variants(backbone, chosen, form, values or ()),
        seed=seed,
        share_parts=share_parts,
        sequences=teachers_speech(opened, output, solve, seed) if solve else (),
    )
    print(json.dumps(asdict(report)) if as_json else report.table())
    print(f"{output}: {report.layout}, not trained yet; tensors in {REPORT}", file=sys.stderr)
