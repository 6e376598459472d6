"""``mamtra prepare``: recordings and texts into shards that a student is trained from.

Every layout has a command of its own; ``validate`` looks whether shards are whole.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mamtra.errors import CorpusError

if TYPE_CHECKING:
    from mamtra.corpus.prepare import Extractor

app = typer.Typer(help="Turn recordings into shards to train from.", no_args_is_help=True)

Source = Annotated[Path, typer.Argument(help="Folder of the recordings, or the manifest.")]
Output = Annotated[Path, typer.Option("--output", "-o", help="Folder of the data files.")]
Teacher = Annotated[
    str, typer.Option(help="Model whose speech tokenizer and speaker encoder are used.")
]
Workers = Annotated[
    int, typer.Option(min=1, help="Number of processes, or of tasks at once on Ray.")
]
Engine = Annotated[str, typer.Option(help="processes or ray.")]
Longest = Annotated[
    float, typer.Option(help="Longest recording in seconds; longer ones are skipped.")
]
Part = Annotated[int, typer.Option(min=1, help="Recordings in one data file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")]

LAYOUTS = {
    "libritts": "Prepare LibriTTS: SUBSET/SPEAKER/CHAPTER/ID.wav with ID.normalized.txt.",
    "ljspeech": "Prepare a folder like LJSpeech: metadata.csv (ID|text|normalised), wavs/ID.wav.",
    "manifest": "Prepare JSON lines with audio, text and, if you like, speaker and split.",
    "corpus": "Prepare what mamtra corpus synthesize spoke.",
}
SHOWN = 20  # problems that are printed; all of them with --json


def listener_of(model: str) -> "Extractor":
    """The speech tokenizer and speaker encoder of a model, as workers build them.

    Raises:
        ModelError: there is no such model, or its encoders are damaged.
    """
    import torch
    from torch import Tensor

    from mamtra.audio.clip import Audio
    from mamtra.checkpoints.format import ModelFolder
    from mamtra.voice.load import open_voice_encoder

    encoder = open_voice_encoder(ModelFolder(Path(model)))

    def extract(audio: Audio) -> tuple[Tensor, Tensor]:
        encoded = encoder.encode(audio)
        return torch.from_numpy(encoded.tokens), torch.from_numpy(encoded.speaker)

    return extract


def show_counts(counts: dict[str, Any], output: Path, as_json: bool) -> None:
    """Say what was done."""
    if as_json:
        print(json.dumps({**counts, "folder": str(output)}))
    console = Console(stderr=True)
    console.print(
        f"{counts['utterances']} utterances, {counts['hours']:.2f} hours, {counts['tokens']} "
        f"speech tokens in {output}; {counts['skipped']} skipped"
    )
    if counts["skipped"]:
        console.print(f"why: {output / 'skipped.jsonl'}")


def run(
    layout: str,
    source: Path,
    output: Path,
    teacher: str,
    workers: int,
    engine: str,
    longest: float,
    part: int,
    as_json: bool,
) -> None:
    """Prepare one layout.

    Raises:
        CorpusError: nothing could be used, among what else ``prepare`` raises.
    """
    from mamtra.checkpoints.format import ModelFolder
    from mamtra.checkpoints.locate import locate
    from mamtra.corpus.prepare import PrepareConfig, Task, built, prepare
    from mamtra.corpus.readers import READERS
    from mamtra.voice.load import fingerprint_of_encoder

    recordings = READERS[layout](source.resolve())
    model = str(locate(teacher).resolve())
    built(listener_of, model)  # a missing model is told before any work is done
    task = Task(
        folder=output.resolve(),
        factory=listener_of,
        model=model,
        config=PrepareConfig(longest=longest, part=part),
        encoders=fingerprint_of_encoder(ModelFolder(Path(model))),
    )
    counts = {"utterances": 0, "hours": 0.0, "tokens": 0, "skipped": 0}
    columns = (TextColumn("encoding"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        row = bar.add_task("encoding", total=len(recordings))
        for receipt in prepare(task, recordings, workers, engine):
            counts["utterances"] += receipt["utterances"]
            counts["tokens"] += receipt["tokens"]
            counts["hours"] += receipt["seconds"] / 3600
            counts["skipped"] += len(receipt["skipped"])
            bar.advance(row, receipt["utterances"] + len(receipt["skipped"]))
    show_counts(counts, output, as_json)
    if not counts["utterances"]:
        raise CorpusError(
            f"none of {len(recordings)} recordings could be used; the reasons are in "
            f"{str(output / 'skipped.jsonl')!r}; mend them and run this again, into another folder "
            f"where texts were mended"
        )


def add_layout(layout: str, summary: str) -> None:
    """Add the command that prepares recordings of a layout."""

    def prepare_layout(
        source: Source,
        output: Output,
        teacher: Teacher = "nano",
        workers: Workers = 1,
        engine: Engine = "processes",
        longest: Longest = 30.0,
        part: Part = 500,
        as_json: AsJson = False,
    ) -> None:
        run(layout, source, output, teacher, workers, engine, longest, part, as_json)

    app.command(layout, help=summary)(prepare_layout)


for known, what in LAYOUTS.items():
    add_layout(known, what)


@app.command()
def validate(
    shards: Annotated[Path, typer.Argument(help="Folder of the data files.")],
    vocabulary: Annotated[
        int | None,
        typer.Option(min=1, help="Number of the teacher's speech tokens; ids must be below."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look whether shards are whole and plausible; the exit code is 8 if not."""
    from mamtra.corpus.validate import validate as look

    found = look(shards, vocabulary)
    if as_json:
        print(json.dumps({"problems": found.problems, **found.statistics}))
    else:
        for name, value in found.statistics.items():
            print(f"{name:<22}{value}")
        for problem in found.problems[:SHOWN]:
            Console(stderr=True).print(problem, markup=False, highlight=False)
    if found.problems:
        raise CorpusError(
            f"{len(found.problems)} problems in {str(shards)!r}; the same mamtra prepare, run "
            "again, makes damaged parts anew"
        )
