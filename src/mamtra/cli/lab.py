"""``mamtra lab``: experiments on the transfer from attention to Mamba, at nano size.

Needs the folder in which nano was made (``mamtra nano``): its corpus, its speech tokens and its
teacher; or, the small way, a teacher that speaks, whose own speech is the data then. Every trial is
resumable; a laboratory that was stopped goes on with the next one.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mamtra.checkpoints.locate import DEFAULT, locate
from mamtra.errors import ConfigError, CorpusError

if TYPE_CHECKING:
    from mamtra.recipes.lab.trial import Bench
    from mamtra.recipes.nano.stages import Workshop
    from mamtra.speech_lm import SpeechLMConfig


def draw(lab: str, rows: list[dict[str, Any]], bench: "Bench", picture: Path) -> None:
    """Table on standard error, picture with its rows."""
    from rich.console import Console

    from mamtra.figures.provenance import provenance
    from mamtra.figures.trials import draw_bars, draw_scatter, over_seeds, table
    from mamtra.recipes.lab.trial import measured_teacher

    by = ("ratio", "placement") if lab == "ratios" else ("what",)
    means = over_seeds(rows, by)
    teacher = measured_teacher(bench)
    notes = {"laboratory": lab, "rows": rows, "provenance": provenance(None)}
    Console(stderr=True).print(table(means, by, f"laboratory {lab}"))
    if lab == "ratios":
        draw_scatter(means, picture, colour="ratio", mark="placement", teacher=teacher, notes=notes)
    else:
        draw_bars(means, picture, label="what", teacher=teacher, notes=notes)


def opened_workshop(
    folder: Path, output: Path, teacher: str | None, utterances: int
) -> "tuple[Workshop, SpeechLMConfig | None]":
    """The folder with corpus, tokens and teacher; the teacher's sizes where they are not nano's.

    Args:
        folder: where nano was made.
        output: of the laboratory; with a teacher, what it says is kept there.
        teacher: a model whose own speech is the data; None takes the folder.
        utterances: how many sentences it says.

    Raises:
        CorpusError: something is missing; all of it is listed.
    """
    from rich.console import Console
    from rich.progress import Progress

    from mamtra.checkpoints.format import ModelFolder
    from mamtra.recipes.lab.self_corpus import check_workshop, speak_corpus
    from mamtra.recipes.nano.stages import Workshop
    from mamtra.speech_lm import SpeechLMConfig

    if teacher is None:
        workshop = Workshop(folder=folder, workers=1)
        check_workshop(workshop)
        return workshop, None
    model = ModelFolder(locate(teacher))
    workshop = Workshop(folder=output / "own-speech", workers=1)
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("the teacher speaks", total=utterances)
        speak_corpus(workshop, model, utterances, report=lambda: progress.advance(task))
    return workshop, model.section("speech_lm", SpeechLMConfig)


def lab(
    name: Annotated[str, typer.Argument(help="ratios, starts, losses, recipes, rivals or mixers.")],
    folder: Annotated[
        Path, typer.Option("--folder", "-f", help="Where nano was made; holds corpus/.")
    ] = Path("runs/nano"),
    teacher: Annotated[
        str | None,
        typer.Option(
            "--teacher",
            help="The small way: a model's own speech is the data; no folder of nano is needed.",
        ),
    ] = None,
    utterances: Annotated[
        int, typer.Option(help="With --teacher: sentences that it says to learn from.")
    ] = 300,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the trials.")] = Path(
        "runs/lab"
    ),
    steps: Annotated[int, typer.Option(min=1, help="Training steps of a trial.")] = 60,
    tokens: Annotated[
        int, typer.Option(min=1, help="Tokens in a batch, of text and speech.")
    ] = 3000,
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds, trials of each kind.")] = 1,
    sentences: Annotated[
        int, typer.Option(min=0, help="Held-out sentences each student speaks; 0: none.")
    ] = 40,
    only: Annotated[
        str | None, typer.Option("--only", help="Only trials whose name begins so.")
    ] = None,
    draw_only: Annotated[
        bool, typer.Option("--draw", help="Train nothing: draw the trials that are finished.")
    ] = False,
    picture: Annotated[
        Path | None, typer.Option("--picture", help="PNG, SVG or PDF; else in the folder.")
    ] = None,
) -> None:
    """Run the trials of one laboratory, then draw them; rows go beside the picture as JSON.

    mamtra lab ratios -f runs/nano -o runs/lab

    mamtra lab recipes --seeds 3

    mamtra lab mixers --teacher nano-teacher -o runs/lab-small --steps 20 --sentences 0
    """
    import torch
    from rich.console import Console
    from rich.progress import Progress

    from mamtra.corpus.synthetic.sentences import held_out_sentences
    from mamtra.figures.picture import check_picture
    from mamtra.recipes.lab.experiments import LABS, Brief, layout_of, trials_of
    from mamtra.recipes.lab.trial import Bench, carry_out, finished

    if name not in LABS:
        raise ConfigError(f"laboratory {name!r} is unknown; possible are {', '.join(LABS)}")
    target = picture or output / f"{name}.png"
    output.mkdir(parents=True, exist_ok=True)
    check_picture(target)
    torch.set_num_threads(1)
    workshop, config = opened_workshop(folder, output, teacher, utterances)
    brief = Brief(steps=steps, tokens=tokens, teacher=config)
    bench = Bench(
        workshop=workshop,
        folder=output,
        model=locate(teacher or DEFAULT),
        sentences=held_out_sentences()[:sentences],
        teacher=brief.run(layout_of((1, 0))).teacher,
    )
    rankings = {  # that mamtra place left in the folder, best layer first
        path.stem.removeprefix("ranking-"): json.loads(path.read_text())["order"]
        for path in sorted(output.glob("ranking-*.json"))
    }
    chosen = [
        trial
        for trial in trials_of(name, brief, range(seeds), rankings)
        if only is None or trial.name.startswith(only)
    ]
    if draw_only:
        chosen = [trial for trial in chosen if finished(output, trial.folder_name) is not None]
        if not chosen:
            raise CorpusError(
                f"no trial of {name!r} is finished in {str(output)!r}; leave --draw out"
            )
    rows = []
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task(name, total=len(chosen))
        for trial in chosen:
            progress.update(task, description=trial.name)
            rows.append(carry_out(trial, bench))
            progress.advance(task)
    draw(name, rows, bench, target)
    print(target)
