"""``mamtra evaluate gate``: stop a release whose model is understood worse than before."""

from math import isfinite
from pathlib import Path
from typing import Annotated

import typer

from mamtra.checkpoints.locate import DEFAULT, locate
from mamtra.cli import evaluate_options as options
from mamtra.cli.evaluate_run import Evaluation, evaluate
from mamtra.cli.options import Model, Seed, Voice

WORSE = 1  # exit code


def evaluate_gate(
    baseline: Annotated[
        Path,
        typer.Option("--baseline", help="scores.json of before, or a file of rows."),
    ],
    model: Model = DEFAULT,
    voice: Voice = None,
    sentences: Annotated[
        str | None,
        typer.Option("--sentences", help="Those of the baseline; needed if it names no set."),
    ] = None,
    system: Annotated[
        str | None, typer.Option("--system", help="System of the baseline, if it has several.")
    ] = None,
    judge: options.Judge = None,
    limit: options.Limit = None,
    seed: Seed = 0,
    threads: options.Threads = 1,
    output: options.Output = None,
) -> None:
    """Speak the baseline's lines again; end with 1 if more words are wrong, beyond the interval.

    mamtra evaluate seed-tts nano --set everyday --limit 20 --profile spoken -o before

    mamtra evaluate gate --baseline before/scores.json --model nano

    The baseline's voice speaks unless another is given, and in one piece where that did.
    """
    locate(model)
    from rich.console import Console

    from mamtra.cli.evaluate_intelligibility import lines_to_say
    from mamtra.evaluation.gate import compare, read_row, same_judges, system_of
    from mamtra.evaluation.harness import open_judges
    from mamtra.evaluation.named_sets import OWN
    from mamtra.evaluation.systems import SpeakingModel
    from mamtra.evaluation.text_rules import profile_named
    from mamtra.synthesis.load import load

    before = read_row(baseline)
    system_of(before, system)
    if sentences is None and before["set"] in OWN:
        sentences, limit = before["set"], limit or before["lines"]
    voice, one_piece = voice or before.get("voice"), bool(before.get("one_piece"))
    lines = lines_to_say(sentences, limit)
    evaluation = Evaluation(
        kind="gate",
        line_set=lines,
        systems=[SpeakingModel(load(model), voice, seed, None, one_piece)],
        judges=open_judges(judge or [options.JUDGE], lines, before["language"], threads),
        profile=profile_named(before["profile"]),
        language=before["language"],
        seed=seed,
        settings={"voice": voice, "one_piece": one_piece},
    )
    asked = {
        "set_sha256": lines.sha256,
        "profile": before["profile"],
        "language": before["language"],
        "judges": [one.identity.row() for one in evaluation.judges.all],
    }
    same_judges(asked, before, system)  # refused before anything is said
    verdicts = compare(evaluate(evaluation, output), before, system)
    console = Console()
    for verdict in verdicts:
        told = verdict.difference
        percent = told.interval.times(100.0)
        shown = f"; {len(lines.lines)} lines show {100 * told.detectable:.1f}"
        console.print(
            f"{verdict.judge}: {percent.signed} points of wrong words against the baseline"
            f"{shown if isfinite(told.detectable) else ''}: "
            f"{'worse' if verdict.worse else 'not worse'}",
            soft_wrap=True,
            highlight=False,
        )
    if any(verdict.worse for verdict in verdicts):
        raise typer.Exit(WORSE)
