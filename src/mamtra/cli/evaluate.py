"""``mamtra evaluate``: how well a model speaks."""

from pathlib import Path
from typing import Annotated

import typer

from mamtra.checkpoints.locate import DEFAULT, locate
from mamtra.cli.evaluate_cloning import evaluate_cloning
from mamtra.cli.evaluate_gate import evaluate_gate
from mamtra.cli.evaluate_intelligibility import chains_of, evaluate_intelligibility
from mamtra.cli.evaluate_listening import evaluate_blind, evaluate_listening
from mamtra.cli.evaluate_reading import evaluate_reading
from mamtra.cli.evaluate_seed_tts import evaluate_seed_tts
from mamtra.cli.evaluate_ways import evaluate_bits, evaluate_carry, evaluate_stream
from mamtra.cli.options import Model, Seed, Voice
from mamtra.errors import ConfigError

app = typer.Typer(help="Measure how well a model speaks.", no_args_is_help=True)
app.command("intelligibility")(evaluate_intelligibility)
app.command("seed-tts")(evaluate_seed_tts)
app.command("gate")(evaluate_gate)
app.command("blind")(evaluate_blind)
app.command("listening")(evaluate_listening)
app.command("carry")(evaluate_carry)
app.command("stream")(evaluate_stream)
app.command("bits")(evaluate_bits)
app.command("reading")(evaluate_reading)
app.command("cloning")(evaluate_cloning)

TEXT = "The weather was fine, so we walked along the river until evening."


@app.command("spectrogram")
def evaluate_spectrogram(
    output: Annotated[Path, typer.Option("--output", "-o", help="PNG, SVG or PDF.")],
    text: Annotated[str, typer.Option("--text", help="What to say.")] = TEXT,
    model: Model = DEFAULT,
    voice: Voice = None,
    seed: Seed = 0,
) -> None:
    """Draw one sentence as its source, as copy synthesis and as the model say it.

    mamtra evaluate spectrogram -o picture.png
    """
    locate(model)
    from mamtra.figures.picture import check_picture
    from mamtra.figures.provenance import provenance
    from mamtra.figures.spectrogram import SHOWN, draw

    check_picture(output)
    (chain,) = chains_of(model, [voice] if voice else None, seed)
    stages = chain.stages
    clips = {stage: stages[stage](text) for stage in SHOWN if stage in stages}
    notes = {"model": Path(model).name, "voice": chain.voice.name, "seed": seed}
    draw(clips, text, output, notes | {"provenance": provenance(seed)})
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
    from mamtra.figures.curves import draw_curves
    from mamtra.figures.picture import check_picture
    from mamtra.figures.provenance import provenance

    check_picture(output)
    folders = {label: Path(folder) for label, folder in map(labelled, runs)}
    levels = {label: float(number) for label, number in map(labelled, level or [])}
    draw_curves(folders, value, output, levels, {"provenance": provenance(None)})
    print(output)


@app.command("lengths")
def evaluate_lengths(
    scores: Annotated[Path, typer.Argument(help="scores.json, or a file of rows (the last).")],
    output: Annotated[Path, typer.Option("--output", "-o", help="PNG, SVG or PDF.")],
) -> None:
    """Draw word errors, degenerate clips and state over the words of a line.

    mamtra evaluate lengths out/scores.json -o lengths.png
    """
    from mamtra.evaluation.gate import read_row
    from mamtra.figures.lengths import draw_lengths
    from mamtra.figures.picture import check_picture

    check_picture(output)
    draw_lengths(read_row(scores), output)
    print(output)


@app.command("table")
def evaluate_table(
    scores: Annotated[list[Path], typer.Argument(help="scores.json or files of rows; several.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also write it: .md or .tex.")
    ] = None,
) -> None:
    """Put several evaluations into one table; judges of different identity are refused.

    mamtra evaluate table out/everyday/scores.json out/unpredictable/scores.json -o table.md
    """
    from rich.console import Console

    from mamtra.atomic import write_file
    from mamtra.errors import CorpusError
    from mamtra.evaluation.gate import read_rows
    from mamtra.evaluation.joint import joint_table

    if output is not None and output.suffix not in (".md", ".tex"):
        raise ConfigError(f"cannot write {str(output)!r}; its suffix may be .md, .tex")
    grid = joint_table([row for path in scores for row in read_rows(path)])
    Console().print(grid.terminal())
    if output is not None:
        text = grid.markdown() if output.suffix == ".md" else grid.latex()
        write_file(output, text, error=CorpusError)


@app.command("paper")
def evaluate_paper(
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="Model to count; else cosyvoice2 and nano; repeatable."),
    ] = None,
    repository: Annotated[
        Path, typer.Option("--repository", help="Folder with benchmarks/results and docs/pictures.")
    ] = Path(),
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for paper.md and paper.tex.")
    ] = None,
) -> None:
    """Print the paper's Tables 2 to 4 and Figures 3 to 6, with ours from arithmetic or kept rows.

    mamtra evaluate paper -o out

    A cell that nobody measured here says which command would.
    """
    from rich.console import Console

    from mamtra.atomic import write_file
    from mamtra.errors import CorpusError
    from mamtra.figures.paper import paper_tables
    from mamtra.sizing.sizes import model_sizes

    grids = paper_tables(
        [model_sizes(name) for name in model or ("cosyvoice2", "nano")], repository
    )
    console = Console()
    for grid in grids:
        console.print(grid.terminal())
        console.print()
    if output is not None:
        text = "\n".join(grid.markdown() for grid in grids)
        write_file(output / "paper.md", text, error=CorpusError)
        write_file(output / "paper.tex", "\n".join(grid.latex() for grid in grids), CorpusError)
        Console(stderr=True).print(f"written: {output / 'paper.md'}, paper.tex", soft_wrap=True)


def labelled(given: str) -> tuple[str, str]:
    """Split LABEL=VALUE.

    Raises:
        ConfigError: it has another form.
    """
    label, sign, value = given.partition("=")
    if not (label and sign and value):
        raise ConfigError(f"{given!r} is not of the form LABEL=VALUE")
    return label, value
