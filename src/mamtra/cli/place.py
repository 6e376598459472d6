"""``mamtra place``: which attention layers of a teacher should stay."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mamtra.checkpoints.locate import locate
from mamtra.cli.convert import read_ratio
from mamtra.cli.evaluate_intelligibility import lines_to_say
from mamtra.cli.options import AsJson, Seed

if TYPE_CHECKING:
    from mamtra.distillation.layer_ranking import Ranking
    from mamtra.synthesis.synthesizer import Synthesizer

FITTED = "beside those that are measured with it and no others"


def shown(ranking: "Ranking", layout: str) -> Any:
    """The ranking as a table, best layer first."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    drawn = Table(title=f"{ranking.teacher}, by {ranking.by}: {layout}", box=SIMPLE_HEAD)
    for name in ("rank", "layer", ranking.by, "increase", "stays"):
        drawn.add_column(name, justify="right")
    for rank, layer in enumerate(ranking.order):
        value = ranking.layers[layer]
        more = value - (ranking.whole or 0.0)
        stays = "attention" if layout[layer] == "A" else ""
        drawn.add_row(str(rank + 1), str(layer), f"{value:.3f}", f"{more:+.3f}", stays)
    return drawn


def shown_search(ranking: "Ranking", attention: int) -> Any:
    """What a greedy search gave up, one layer after another."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    layout = ranking.layout(attention, greedily=True)
    drawn = Table(title=f"{ranking.teacher}, greedily by {ranking.by}: {layout}", box=SIMPLE_HEAD)
    for name in ("round", "gives up", ranking.by, "increase"):
        drawn.add_column(name, justify="right")
    for number, (layer, value) in enumerate(ranking.given_up(len(layout.kinds) - attention)):
        more = value - (ranking.whole or 0.0)
        drawn.add_row(str(number + 1), str(layer), f"{value:.3f}", f"{more:+.3f}")
    return drawn


def measurements(layers: int, attention: int | None) -> int:
    """How many measurements a ranking takes, or a search that leaves so much attention."""
    rounds = 1 if attention is None else max(1, layers - attention)
    return 1 + sum(layers - number for number in range(rounds))


def layers_of(synthesizer: "Synthesizer") -> int:
    """How many layers a model's language model has."""
    from mamtra.speech_lm.model import SpeechLMConfig

    config = synthesizer.folder.section("speech_lm", SpeechLMConfig)
    return len(config.backbone.layout)


def measure(
    synthesizer: "Synthesizer",
    ranking: "Ranking",
    texts: list[str],
    seed: int,
    attention: int | None,
    output: Path | None,
) -> None:
    """Fill a ranking with a bar, and keep it in its file after every measurement."""
    from rich.console import Console
    from rich.progress import Progress

    from mamtra.distillation.layer_ranking import rank_layers

    layers = layers_of(synthesizer)
    known = sum(map(len, (ranking.layers, *ranking.rounds))) + (ranking.whole is not None)
    with Progress(console=Console(stderr=True)) as progress:
        total = max(known, measurements(layers, attention))
        task = progress.add_task("measuring", total=total, completed=known)

        def report() -> None:
            progress.advance(task)
            if output is not None:
                ranking.save(output)

        rank_layers(synthesizer, ranking, texts, seed, attention=attention, report=report)
        progress.update(task, completed=total)
    if output is not None:
        ranking.save(output)


def place(
    teacher: Annotated[str, typer.Argument(help="A built-in model or a folder.")],
    ratio: Annotated[str, typer.Option("--ratio", help="Attention:Mamba, as 1:5.")] = "1:1",
    by: Annotated[
        str, typer.Option("--by", help="ce (cross entropy), wer (word error rate) or cosine.")
    ] = "ce",
    instead: Annotated[
        str, typer.Option("--instead", help="What replaces a layer: mamba or nothing.")
    ] = "mamba",
    sentences: Annotated[
        str | None, typer.Option("--sentences", help="One a line; else those kept from training.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Only the first sentences.")] = 40,
    greedy: Annotated[
        bool, typer.Option("--greedy", help="Replace layer after layer, measuring again each time.")
    ] = False,
    seed: Seed = 0,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="JSON file; a stopped ranking goes on with it."),
    ] = None,
    picture: Annotated[Path | None, typer.Option("--picture", help="PNG, SVG or PDF.")] = None,
    as_json: AsJson = False,
) -> None:
    """Rank a teacher's attention layers by what their replacement costs, and say which stay.

    mamtra place nano-teacher --ratio 1:5 --by wer -o ranking.json

    mamtra place nano-teacher --ratio 1:5 --by ce --greedy -o ranking.json

    mamtra convert nano-teacher -o student --layers 0,6
    """
    locate(teacher)
    attention, mamba = read_ratio(ratio)
    texts = [line.text for line in lines_to_say(sentences, limit).lines]

    # torch loads here and not for --help
    from rich.console import Console

    from mamtra.backbone.layout import attention_share
    from mamtra.distillation.layer_ranking import Ranking
    from mamtra.evaluation.line_set import fingerprint
    from mamtra.evaluation.systems import fingerprint_of_model
    from mamtra.figures.picture import check_picture
    from mamtra.synthesis.load import load

    if picture is not None:
        check_picture(picture)
    synthesizer = load(teacher)
    layers = layers_of(synthesizer)
    stay = attention_share(attention, mamba, layers)
    settings = {
        "weights": fingerprint_of_model(synthesizer.folder),
        "sentences": fingerprint(texts),
        "count": len(texts),
        "seed": seed,
    }
    if by != "cosine" and instead == "mamba":
        # in files that lack it, mixers were fitted beside those of all layers before them
        settings["fitted"] = FITTED
    ranking = Ranking(teacher=synthesizer.name, by=by, instead=instead, settings=settings)
    if output is not None:
        ranking.resume(output)
    measure(synthesizer, ranking, texts, seed, stay if greedy else None, output)
    found = ranking.layout(stay, greedy)
    layout = str(found)
    if picture is not None:
        from mamtra.figures.ranking import draw_ranking

        draw_ranking(ranking.row(), layout, picture)
    if as_json:
        print(json.dumps({**ranking.row(), "layout": layout}))
    else:
        Console().print(shown_search(ranking, stay) if greedy else shown(ranking, layout))
        kept = ",".join(map(str, found.attention_layers))
        print(f"convert with: mamtra convert {teacher} -o STUDENT --layers {kept}", file=sys.stderr)
