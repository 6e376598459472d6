"""``mamtra bench chain``: what the way from a published folder to speech costs, stage by stage."""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from mamtra.benchmark.chain import Chain, measure, row
from mamtra.benchmark.say import SENTENCE
from mamtra.cli.result_rows import hand_out
from mamtra.figures.provenance import provenance

MEBIBYTE = 2**20
PACKAGES = ("onnxruntime", "tokenizers", "wetext")


def stage_table(line: dict[str, Any]) -> Table:
    """What each stage took."""
    drawn = Table(title=f"{line['audio_seconds']:.2f} s of speech", box=SIMPLE_HEAD)
    for name in ("stage", "loading, s", "work, s", "work, CPU s", "process, s", "MiB at most"):
        drawn.add_column(name, justify="left" if name == "stage" else "right")
    for name, told in line["stages"].items():
        names = ("load_seconds", "seconds", "cpu_seconds", "process_seconds")
        cells = [f"{told[seconds]:.2f}" if seconds in told else "" for seconds in names]
        drawn.add_row(name, *cells, f"{told['peak_bytes'] / MEBIBYTE:.0f}")
    return drawn


def bench_chain(
    published: Annotated[
        Path | None, typer.Option("--published", help="CosyVoice 2's folder, to begin with.")
    ] = None,
    prompt: Annotated[Path | None, typer.Option("--prompt", help="A recording.")] = None,
    words: Annotated[str, typer.Option("--words", help="Those of the recording.")] = "",
    ratio: Annotated[
        str | None, typer.Option("--ratio", help="Attention:Mamba of the hybrid, as 1:1.")
    ] = None,
    model: Annotated[str, typer.Option("--model", help="A model folder, instead.")] = "",
    voice: Annotated[str, typer.Option("--voice", help="A saved voice, for --model.")] = "",
    text: Annotated[str, typer.Option("--text", help="What to say.")] = SENTENCE,
    mode: Annotated[str | None, typer.Option("--mode", help="zero-shot or cross-lingual.")] = None,
    tokens: Annotated[
        int | None, typer.Option("--tokens", help="Speak exactly so many speech tokens.")
    ] = None,
    stored: Annotated[str, typer.Option("--stored", help="Type of weights on disk.")] = "bfloat16",
    computed: Annotated[
        str, typer.Option("--computed", help="Type of the speech LM in memory.")
    ] = "auto",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of what is said.")] = 0,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Keep what the stages write here.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Add the row to this file.")
    ] = None,
) -> None:
    """Measure the way from a published CosyVoice 2 folder to speech, each stage in its own process.

    mamtra bench chain --published CosyVoice2-0.5B --prompt prompt.wav --ratio 1:1

    mamtra bench chain --model cosyvoice2 --voice anna.safetensors
    """
    with ExitStack() as stack:
        place = folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        place.mkdir(parents=True, exist_ok=True)
        chain = Chain(
            folder=str(place),
            published=None if published is None else str(published),
            model=model,
            voice=voice,
            prompt=None if prompt is None else str(prompt),
            words=words,
            ratio=ratio,
            stored=stored,
            computed=computed,
            text=text,
            mode=mode,
            tokens=tokens,
            seed=seed,
        )
        console = Console(stderr=True)
        stages = track(
            measure(chain), "measuring", total=len(chain.stages), console=console, transient=True
        )
        line = row(chain, dict(stages)) | {"provenance": provenance(seed, PACKAGES).row()}
    console.print(stage_table(line))
    hand_out(line, output)
