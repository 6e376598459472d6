"""``mamtra evaluate stream``: what a stream loses against a whole say."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from mamtra.checkpoints.locate import DEFAULT, locate

JUDGE_PACKAGES = ("pocketsphinx", "jiwer")


def evaluate_stream(
    model: Annotated[str, typer.Option("--model", help="A built-in model or a folder.")] = DEFAULT,
    voice: Annotated[str | None, typer.Option("--voice", help="A voice of the model.")] = None,
    sentences: Annotated[int, typer.Option("--sentences", min=1, help="Held-out ones.")] = 20,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of what the model says.")] = 0,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Add the row to this file.")
    ] = None,
) -> None:
    """Count wrong words of sentences spoken whole and as a stream, and compare the sound.

    mamtra evaluate stream --sentences 20 -o benchmarks/results/stream.jsonl
    """
    locate(model)
    from rich.console import Console
    from rich.progress import track

    from mamtra.cli.result_rows import hand_out
    from mamtra.corpus.synthetic.sentences import held_out_sentences
    from mamtra.evaluation.recogniser import Recogniser
    from mamtra.evaluation.streamed import measure
    from mamtra.figures.provenance import provenance
    from mamtra.synthesis.synthesizer import load

    chosen = held_out_sentences()[:sentences]
    judges = {form: Recogniser(form, chosen) for form in ("default", "unigram")}
    console = Console(stderr=True)

    def watch(spoken: Sequence[str]) -> Iterable[str]:
        return track(spoken, "listening", console=console, transient=True)

    synthesizer = load(model)
    figures = measure(synthesizer, chosen, judges, voice, seed, watch)
    settings = {"evaluation": "stream", "model": synthesizer.name, "voice": voice, "seed": seed}
    line = settings | figures | {"provenance": provenance(seed, JUDGE_PACKAGES).row()}
    for way, forms in figures["wer"].items():
        told = ", ".join(f"{form} {rate['percent']:.1f} %" for form, rate in forms.items())
        console.print(f"{way}: {told} wrong words", highlight=False)
    hand_out(line, output)
