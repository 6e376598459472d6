"""``mamtra evaluate carry``: whether a model gains from knowing the sentence before."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from mamtra.checkpoints.locate import DEFAULT, locate

JUDGE_PACKAGES = ("pocketsphinx", "jiwer")


def evaluate_carry(
    model: Annotated[str, typer.Option("--model", help="A built-in model or a folder.")] = DEFAULT,
    voice: Annotated[str | None, typer.Option("--voice", help="A voice of the model.")] = None,
    pairs: Annotated[int, typer.Option("--pairs", min=1, help="Of sentences.")] = 20,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of what the model says.")] = 0,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Add the row to this file.")
    ] = None,
) -> None:
    """Count wrong words of second sentences, spoken fresh and with the first one carried.

    mamtra evaluate carry --pairs 20 -o benchmarks/results/carry.jsonl
    """
    locate(model)
    from rich.console import Console
    from rich.progress import track

    from mamtra.cli.result_rows import hand_out
    from mamtra.corpus.synthetic.sentences import held_out_sentences
    from mamtra.evaluation.carry import Pair, measure, pairs_of
    from mamtra.evaluation.recogniser import Recogniser
    from mamtra.figures.provenance import provenance
    from mamtra.synthesis.synthesizer import load

    chosen = pairs_of(held_out_sentences()[: 2 * pairs])
    seconds = [second for _, second in chosen]
    judges = {form: Recogniser(form, seconds) for form in ("default", "unigram")}
    console = Console(stderr=True)

    def watch(pairs: Sequence[Pair]) -> Iterable[Pair]:
        return track(pairs, "listening", console=console, transient=True)

    synthesizer = load(model)
    figures = measure(synthesizer, chosen, judges, voice, seed, watch)
    settings = {"evaluation": "carry", "model": synthesizer.name, "voice": voice, "seed": seed}
    line = settings | figures | {"provenance": provenance(seed, JUDGE_PACKAGES).row()}
    for state, forms in figures["wer"].items():
        told = ", ".join(f"{form} {rate['percent']:.1f} %" for form, rate in forms.items())
        console.print(f"{state}: {told} wrong words", highlight=False)
    hand_out(line, output)
