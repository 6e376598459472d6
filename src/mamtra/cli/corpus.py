"""``mamtra corpus``: make a corpus of synthetic speech.

Needs the synthesisers that the recipe of nano names (docs/nano.md); what they speak is written
beside a manifest and never belongs into the repository.
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from mamtra.atomic import write_json
from mamtra.audio.clip import Audio, write
from mamtra.corpus.synthetic.hibari import UNIT_MS
from mamtra.corpus.synthetic.sentences import all_held_out, training_sentences
from mamtra.corpus.synthetic.spoken import MAIN_VOICE
from mamtra.corpus.synthetic.synthesize import (
    SHARD_SENTENCES,
    plan_shards,
    synthesiser_for,
    synthesize,
)
from mamtra.errors import CorpusError
from mamtra.evaluation.line_set import written_lines
from mamtra.evaluation.named_sets import open_set
from mamtra.files import read_json

ABOUT = "recorded.json"  # beside recordings: whose they are, and of what

app = typer.Typer(help="Make a corpus of synthetic speech.", no_args_is_help=True)


def counted(given: list[str]) -> dict[str, int]:
    """Voices and how many sentences each speaks.

    Raises:
        CorpusError: one is not of the form NAME=COUNT.
    """
    counts = {}
    for item in given:
        name, _, count = item.partition("=")
        if not (name and count.isdigit()):
            raise CorpusError(f"voice {item!r} is not of the form NAME=COUNT, such as heart=4000")
        counts[name] = int(count)
    return counts


@app.command("record")
def record(
    sentences: Annotated[
        str, typer.Option("--set", help="everyday, unpredictable, ..., or a list's path.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the recordings.")],
    voice: Annotated[
        str, typer.Option("--voice", help="Of a synthesiser, as of corpus synthesize.")
    ] = "heart",
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Only the first lines.")
    ] = None,
) -> None:
    """Speak a test set by a synthesiser, one file a line; what is there is not spoken again.

    Another voice or set is refused where recordings lie already.

    mamtra corpus record --set everyday --limit 200 --voice heart -o hibari

    mamtra evaluate seed-tts nano --set everyday --limit 200 --wavs hibari
    """
    whole = open_set(sentences)
    lines, source = whole.part(limit).lines, synthesiser_for(voice)
    about = {"voice": voice, "set_sha256": whole.sha256}
    before = read_json(output / ABOUT) if (output / ABOUT).exists() else about
    if before != about:
        raise CorpusError(
            f"{str(output)!r} holds recordings of another voice or set: {before}, not {about}; "
            f"choose another folder"
        )
    write_json(output / ABOUT, about, error=CorpusError)
    missing = [line for line in lines if not (output / f"{line.id}.wav").exists()]
    console = Console(stderr=True)
    for line in track(missing, "speaking", console=console, transient=True):
        audio = Audio(samples=source.speak(line.text), rate_hz=source.rate_hz)
        write(output / f"{line.id}.wav", audio)
    console.print(f"{len(missing)} of {len(lines)} lines spoken into {output}", soft_wrap=True)


@app.command("synthesize")
def speak_corpus(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the corpus.")],
    count: Annotated[int, typer.Option(min=400, help="Number of training sentences.")] = 100_000,
    sentences: Annotated[Path | None, typer.Option(help="Speak these instead, one a line.")] = None,
    voice: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=COUNT, the main voice first: heart (hibari), am_michael and others of "
            "Kokoro; heart alone if not set."
        ),
    ] = None,
    others: Annotated[
        bool, typer.Option("--others", help="None of these is the main voice; add them to it.")
    ] = False,
    shard: Annotated[
        int, typer.Option(min=1, help="Sentences in one data file.")
    ] = SHARD_SENTENCES,
    shortest_vowel: Annotated[
        int,
        typer.Option(help="Milliseconds that a vowel of heart lasts at least, in steps of 25."),
    ] = UNIT_MS,
    workers: Annotated[int, typer.Option(min=1, help="Number of processes.")] = 2,
    seed: Annotated[int, typer.Option(help="Random seed of the choice of sentences.")] = 0,
) -> None:
    """Speak training, validation and test sentences; a killed run goes on."""
    voices = counted(voice) if voice else {}
    for name in voices or (MAIN_VOICE,):
        synthesiser_for(name, shortest_vowel)  # what is missing is told before any work
    texts = (
        [line for _, line in written_lines(sentences)]
        if sentences
        else training_sentences(count, seed)
    )
    voices = voices or {MAIN_VOICE: len(texts)}
    plans = plan_shards(texts, all_held_out(), voices, shard_sentences=shard, only_others=others)
    console = Console(stderr=True)
    shards = synthesize(output, plans, workers, shortest_vowel)
    missing = [plan for plan in plans if not (output / f"{plan.name}.jsonl").exists()]
    seconds = sum(track(shards, "speaking", total=len(missing), console=console))
    console.print(f"{len(missing)} shards spoken, {seconds / 3600:.1f} hours, in {output}")


@app.command("sentences")
def write_sentences(
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")],
    count: Annotated[int, typer.Option(min=400, help="Number of training sentences.")] = 100_000,
    seed: Annotated[int, typer.Option(help="Random seed of the choice of sentences.")] = 0,
) -> None:
    """Write the training sentences, one a line, without speaking them."""
    output.write_text("".join(f"{line}\n" for line in training_sentences(count, seed)))
