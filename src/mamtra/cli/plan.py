"""``mamtra plan``: how many bytes a model needs before anything is run."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mamtra.cli.options import AsJson
from mamtra.errors import ConfigError

if TYPE_CHECKING:
    from rich.table import Table

    from mamtra.sizing.plan import Fit, Plan


def part_rows(planned: "Plan") -> list[tuple[str, str, int]]:
    """What, how, and bytes."""
    exact = {"speech_lm": planned.dtype}
    weights = [
        (f"{name.replace('speech_lm', 'speech LM')} weights", exact.get(name, "float32"), n)
        for name, n in planned.weights.items()
    ]
    grows = f"{planned.layout.count('A')} layers, room for {planned.capacity:,} tokens"
    stays = f"{len(planned.layout) - planned.layout.count('A')} layers, float32"
    return [
        *weights,
        ("keys and values", grows, planned.key_values),
        ("scan states", stays, planned.scans),
        ("activations", "estimate", planned.activations),
        ("total", "", planned.total),
    ]


def plan_table(planned: "Plan") -> "Table":
    """Bytes by part."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from mamtra.sizing.gpus import readable

    drawn = Table(
        title=f"{planned.model} {planned.layout}: {planned.streams} x {planned.seconds:g} s, "
        f"{planned.tokens:,} tokens each",
        box=SIMPLE_HEAD,
    )
    for name in ("part", "", "bytes"):
        drawn.add_column(name, justify="right" if name == "bytes" else "left", no_wrap=True)
    for name, how, count in part_rows(planned):
        drawn.add_row(name, how, readable(count))
    return drawn


def fit_line(card: str, planned: "Plan", found: "Fit") -> str:
    """One sentence about a card."""
    from mamtra.sizing.gpus import readable

    length = "any length" if found.seconds is None else f"{found.seconds:,} s each"
    return (
        f"{card} ({readable(found.usable_bytes)} usable): "
        f"{'fits' if found.fits else 'does not fit'}; "
        f"{found.streams:,} streams of {planned.seconds:g} s, "
        f"or {planned.streams} streams of {length}"
    )


def show(console: Any, planned: "Plan", fits: dict[str, "Fit"]) -> None:
    """Table and sentences for people."""
    console.print(plan_table(planned))
    lines = [
        f"a Mamba layer saves memory beyond {planned.break_even} tokens "
        f"({planned.paper_break_even} if its state were as narrow as the keys, as in the paper)",
        f"{planned.paper_operations / 1e12:.2f} TFLOPs for a forward over 2,000 positions by the "
        f"paper's counting; {planned.token_operations / 1e9:.2f} GFLOPs for the last token of a "
        f"piece",
        *(fit_line(name, planned, found) for name, found in fits.items()),
    ]
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False)


def plan(
    model: Annotated[
        str, typer.Option("--model", help="nano, a folder, or sizes alone: cosyvoice2, chatterbox.")
    ] = "cosyvoice2",
    ratio: Annotated[
        str | None,
        typer.Option("--ratio", help="1:5, 1:5-grouped, removed-12; else the model's own layout."),
    ] = None,
    layout: Annotated[
        str | None, typer.Option("--layout", help="Instead of --ratio: one letter a layer, AMMM...")
    ] = None,
    seconds: Annotated[
        float, typer.Option("--seconds", help="Seconds of speech in one piece.")
    ] = 60.0,
    streams: Annotated[
        int, typer.Option("--streams", help="Number of streams spoken at once.")
    ] = 1,
    dtype: Annotated[
        str,
        typer.Option(
            "--dtype", help="Number type of the language model: float32, bfloat16, float16, int8."
        ),
    ] = "bfloat16",
    card: Annotated[
        list[str] | None, typer.Option("--card", help="'24 GiB', h100, ...; may be repeated.")
    ] = None,
    engine: Annotated[
        str | None, typer.Option("--engine", help="eager, or graph: the default with a card.")
    ] = None,
    figure: Annotated[
        Path | None, typer.Option("--figure", help="Draw state over length for every ratio here.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell how many bytes a model will need, part by part, and what fits into a card.

    mamtra plan --model cosyvoice2 --ratio 1:5 --seconds 600 --streams 32 --card h100
    """
    # torch loads here and not for --help
    from rich.console import Console

    from mamtra.figures.growth import draw_growth, growth_rows
    from mamtra.sizing.gpus import memory_of
    from mamtra.sizing.plan import fit
    from mamtra.sizing.plan import plan as planned_for
    from mamtra.sizing.sizes import model_sizes, shaped

    if ratio is not None and layout is not None:
        raise ConfigError("--ratio and --layout both give the layers; leave one out")
    sizes = shaped(model_sizes(model), layout or ratio)
    planned = planned_for(sizes, seconds, streams, dtype, engine or ("graph" if card else "eager"))
    fits = {name: fit(sizes, planned, memory_of(name)) for name in card or ()}
    if figure is not None:
        if not figure.parent.is_dir():
            raise ConfigError(f"there is no folder {str(figure.parent)!r}; make it first")
        draw_growth(growth_rows(sizes, dtype), figure)
    if as_json:
        row = planned.row() | {"cards": {name: asdict(found) for name, found in fits.items()}}
        print(json.dumps(row))
    else:
        show(Console(), planned, fits)
