"""``mamtra evaluate``: how well a model speaks."""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mamtra.checkpoints.locate import DEFAULT, locate
from mamtra.cli.evaluate_carry import evaluate_carry
from mamtra.cli.evaluate_stream import evaluate_stream
from mamtra.errors import ConfigError, CorpusError

if TYPE_CHECKING:
    from mamtra.evaluation.stages import Chain

app = typer.Typer(help="Measure how well a model speaks.", no_args_is_help=True)
app.command("carry")(evaluate_carry)
app.command("stream")(evaluate_stream)

TEXT = "The weather was fine, so we walked along the river until evening."
JUDGE_PACKAGES = ("pocketsphinx", "jiwer")


class Form(StrEnum):
    """Forms of the judge, as the command line names them."""

    default = "default"
    unigram = "unigram"
    choice = "choice"
    all = "all"


Model = Annotated[str, typer.Option("--model", help="A built-in model or a folder.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Of what the model says.")]


@app.callback()
def describe() -> None:
    """Measure how well a model speaks."""


def read_sentences(path: Path | None, limit: int | None) -> list[str]:
    """One sentence a line, or those that were kept out of training.

    Raises:
        CorpusError: the file cannot be read or holds no sentence.
    """
    if path is None:
        from mamtra.corpus.synthetic.sentences import held_out_sentences

        return held_out_sentences()[:limit]
    try:
        lines = [line.strip() for line in path.read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as problem:
        raise CorpusError(f"cannot read sentences from {str(path)!r}: {problem}") from problem
    sentences = [line for line in lines if line][:limit]
    if not sentences:
        raise CorpusError(f"{str(path)!r} holds no sentence; write one a line")
    return sentences


def chains_of(model: str, voices: list[str] | None, seed: int) -> dict[str, "Chain"]:
    """The stages of each voice asked for, by the voice's name."""
    from mamtra.evaluation.stages import Chain
    from mamtra.synthesis.synthesizer import load

    synthesizer = load(model)
    made = [Chain(synthesizer, voice, seed) for voice in voices or [None]]
    return {chain.voice.name: chain for chain in made}


@app.command("intelligibility")
def evaluate_intelligibility(
    model: Model = DEFAULT,
    sentences: Annotated[
        Path | None, typer.Option("--sentences", help="One a line; else those kept from training.")
    ] = None,
    voice: Annotated[list[str] | None, typer.Option("--voice", help="May be repeated.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first.")] = None,
    seed: Seed = 0,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of results; a stopped run goes on."),
    ] = None,
    judge: Annotated[Form, typer.Option("--judge", help="Form of the recogniser.")] = Form.all,
    sounds: Annotated[bool, typer.Option("--wavs", help="Keep what was said, in -o.")] = False,
) -> None:
    """Let a recogniser write down what each stage of a model says, and count wrong words.

    mamtra evaluate intelligibility --model nano --sentences held_out.txt -o results
    """
    if sounds and output is None:
        raise typer.BadParameter("--wavs needs a folder to keep them in; add -o FOLDER")
    locate(model)
    texts = read_sentences(sentences, limit)
    # torch and the recogniser load here and not for --help
    from rich.console import Console
    from rich.progress import track

    from mamtra.evaluation import intelligibility as run
    from mamtra.evaluation.recogniser import FORMS, Recogniser
    from mamtra.evaluation.report import table
    from mamtra.figures.provenance import provenance

    forms = FORMS if judge == Form.all else (judge.value,)
    judges = {form: Recogniser(form, texts) for form in forms}
    chains = chains_of(model, voice, seed)
    settings = {
        "model": Path(model).name,
        "weights": run.fingerprint_of_model(next(iter(chains.values())).synthesizer.folder),
        "sentences": run.fingerprint(texts),
        "seed": seed,
        "judge": list(forms),
    }
    results = run.Results(output, settings, keep_sounds=sounds)
    stages = {name: chain.stages for name, chain in chains.items()}
    total = len(texts) * sum(len(makers) for makers in stages.values())
    rows = run.measure(texts, stages, judges, results)
    console = Console(stderr=True)
    figures = run.summarise(list(track(rows, "listening", total=total, console=console)))
    summary = {
        "evaluation": "intelligibility",
        **settings,
        "results": figures,
        "missing": {name: chain.missing for name, chain in chains.items() if chain.missing},
        "unknown_to_judge": judges[forms[0]].unknown,
        "provenance": provenance(seed, JUDGE_PACKAGES).row(),
    }
    for name in chains:
        title = f"{settings['model']}, voice {name}, {len(texts)} sentences"
        console.print(table([row for row in figures if row["voice"] == name], title))
    for name, reason in summary["missing"].items():
        console.print(f"voice {name}: no source to compare with: {reason}", markup=False)
    if output is not None:
        run.write_summary(output, summary)
    print(json.dumps(summary))


@app.command("spectrogram")
def evaluate_spectrogram(
    output: Annotated[Path, typer.Option("--output", "-o", help="PNG, SVG or PDF.")],
    text: Annotated[str, typer.Option("--text", help="What to say.")] = TEXT,
    model: Model = DEFAULT,
    voice: Annotated[str | None, typer.Option("--voice", help="A voice of the model.")] = None,
    seed: Seed = 0,
) -> None:
    """Draw one sentence as its source, as copy synthesis and as the model say it.

    mamtra evaluate spectrogram -o picture.png
    """
    locate(model)
    from mamtra.evaluation.spectrogram import SHOWN, check_picture, draw
    from mamtra.figures.provenance import provenance

    check_picture(output)
    (chain,) = chains_of(model, [voice] if voice else None, seed).values()
    stages = chain.stages
    clips = {stage: stages[stage](text) for stage in SHOWN if stage in stages}
    notes = {"model": Path(model).name, "voice": chain.voice.name, "seed": seed}
    draw(clips, text, output, notes | {"provenance": provenance(seed).row()})
    print(output)


@app.command("curves")
def evaluate_curves(
    runs: Annotated[list[str], typer.Argument(help="LABEL=FOLDER of a training run; several.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="PNG, SVG or PDF.")],
    value: Annotated[str, typer.Option("--value", help="A name from log.jsonl.")] = "loss",
    level: Annotated[
        list[str] | None, typer.Option("--level", help="LABEL=NUMBER: a line to compare with.")
    ] = None,
) -> None:
    """Draw one value of several training runs over their steps; rows go beside as JSON.

    mamtra evaluate curves copied=runs/a random=runs/b --value validation_letters -o starts.png
    """
    from mamtra.evaluation.spectrogram import check_picture
    from mamtra.figures.curves import draw_curves
    from mamtra.figures.provenance import provenance

    check_picture(output)
    folders = {label: Path(folder) for label, folder in map(labelled, runs)}
    levels = {label: float(number) for label, number in map(labelled, level or [])}
    draw_curves(folders, value, output, levels, {"provenance": provenance(None).row()})
    print(output)


def labelled(given: str) -> tuple[str, str]:
    """Split LABEL=VALUE.

    Raises:
        ConfigError: it has another form.
    """
    label, sign, value = given.partition("=")
    if not (label and sign and value):
        raise ConfigError(f"{given!r} is not of the form LABEL=VALUE")
    return label, value
