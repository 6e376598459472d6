"""``mamtra place``: which attention layers of a teacher should stay."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mamtra.checkpoints.locate import locate
from mamtra.cli.convert import read_ratio
from mamtra.cli.evaluate import read_sentences

if TYPE_CHECKING:
    from mamtra.recipes.place import Ranking


def shown(ranking: "Ranking", layout: str) -> Any:
    """The ranking as a table, best layer first."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    drawn = Table(title=f"{ranking.teacher}, by {ranking.by}: {layout}", box=SIMPLE_HEAD)
    for name in ("rank", "layer", ranking.by, "more than whole", "stays"):
        drawn.add_column(name, justify="right")
    for rank, layer in enumerate(ranking.order):
        value = ranking.layers[layer]
        more = value - (ranking.whole or 0.0)
        stays = "attention" if layout[layer] == "A" else ""
        drawn.add_row(str(rank + 1), str(layer), f"{value:.3f}", f"{more:+.3f}", stays)
    return drawn


def place(
    teacher: Annotated[str, typer.Argument(help="A built-in model or a folder.")],
    ratio: Annotated[str, typer.Option("--ratio", help="Attention:Mamba, as 1:5.")] = "1:1",
    by: Annotated[str, typer.Option("--by", help="ce, wer or cosine.")] = "ce",
    instead: Annotated[
        str, typer.Option("--instead", help="What a layer gets: mamba or nothing.")
    ] = "mamba",
    sentences: Annotated[
        Path | None, typer.Option("--sentences", help="One a line; else those kept from training.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Only the first.")] = 40,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of what the teacher says.")] = 0,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="JSON file; a stopped ranking goes on with it."),
    ] = None,
    picture: Annotated[Path | None, typer.Option("--picture", help="PNG, SVG or PDF.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Report as one JSON line.")] = False,
) -> None:
    """Rank a teacher's attention layers by what their replacement costs, and say which stay.

    mamtra place nano-teacher --ratio 1:5 --by wer -o ranking.json

    mamtra convert nano-teacher -o student --layers 0,6
    """
    locate(teacher)
    attention, mamba = read_ratio(ratio)
    texts = read_sentences(sentences, limit)

    # torch loads here and not for --help
    from rich.console import Console
    from rich.progress import Progress

    from mamtra.backbone.layout import Layout, attention_share
    from mamtra.evaluation.intelligibility import fingerprint, fingerprint_of_model
    from mamtra.evaluation.spectrogram import check_picture
    from mamtra.recipes.place import Ranking, rank_layers
    from mamtra.synthesis.synthesizer import load

    if picture is not None:
        check_picture(picture)
    synthesizer = load(teacher)
    layers = len(synthesizer.parts.speech_lm.backbone.layers)
    stay = attention_share(attention, mamba, layers)
    settings = {
        "weights": fingerprint_of_model(synthesizer.folder),
        "sentences": fingerprint(texts),
        "count": len(texts),
        "seed": seed,
    }
    ranking = Ranking(teacher=synthesizer.name, by=by, instead=instead, settings=settings)
    if output is not None:
        ranking.resume(output)
    console = Console(stderr=True)
    with Progress(console=console) as progress:
        task = progress.add_task("measuring", total=layers + 1, completed=len(ranking.layers))

        def report() -> None:
            progress.advance(task)
            if output is not None:
                ranking.save(output)

        rank_layers(synthesizer, ranking, texts, seed, report=report)
    if output is not None:
        ranking.save(output)
    layout = str(Layout.of(sorted(ranking.order[:stay]), layers))
    if picture is not None:
        from mamtra.evaluation.ranking import draw_ranking

        draw_ranking(ranking.row(), layout, picture)
    if as_json:
        print(json.dumps({**ranking.row(), "layout": layout}))
    else:
        Console().print(shown(ranking, layout))
        kept = ",".join(str(layer) for layer in sorted(ranking.order[:stay]))
        print(f"convert with: mamtra convert {teacher} -o STUDENT --layers {kept}", file=sys.stderr)
