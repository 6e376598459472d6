"""``mamtra evaluate carry`` and ``stream``: one model that says the same sentences in two ways."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mamtra.checkpoints.locate import DEFAULT, locate
from mamtra.cli.evaluate_run import (
    JUDGE,
    Evaluation,
    JudgeOption,
    Model,
    Output,
    RowFile,
    Seed,
    Threads,
    evaluate,
    opened_judges,
)

if TYPE_CHECKING:
    from mamtra.evaluation.line_set import LineSet
    from mamtra.evaluation.systems import System

Voice = Annotated[str | None, typer.Option("--voice", help="A voice of the model.")]


def two_ways(
    kind: str,
    line_set: "LineSet",
    systems: "list[System]",
    judge: list[str] | None,
    seed: int,
    threads: int,
    settings: dict[str, Any],
) -> Evaluation:
    """The second system compared with the first."""
    from mamtra.evaluation.text_rules import profile_named

    texts = [line.text for line in line_set.lines]
    return Evaluation(
        kind=kind,
        line_set=line_set,
        systems=systems,
        judges=opened_judges(judge or [JUDGE], texts, "en", threads, None),
        profile=profile_named("spoken"),
        seed=seed,
        baselines={systems[1].name: systems[0].name},
        settings=settings,
    )


def evaluate_carry(
    model: Model = DEFAULT,
    voice: Voice = None,
    pairs: Annotated[int, typer.Option("--pairs", min=1, help="Pairs of sentences.")] = 20,
    judge: JudgeOption = None,
    seed: Seed = 0,
    threads: Threads = 1,
    output: Output = None,
    row: RowFile = None,
) -> None:
    """Count wrong words of second sentences, spoken fresh and with the first one carried.

    mamtra evaluate carry --pairs 20 --row benchmarks/results/carry.jsonl
    """
    locate(model)
    from mamtra.corpus.synthetic.sentences import held_out_sentences
    from mamtra.evaluation.carry import AfterAnother, pairs_of
    from mamtra.synthesis.load import load

    synthesizer = load(model)
    systems: list[System] = [
        AfterAnother(synthesizer, state, voice, seed) for state in ("fresh", "carry")
    ]
    settings = {"model": synthesizer.name, "voice": voice}
    line_set = pairs_of(held_out_sentences()[: 2 * pairs])
    evaluate(two_ways("carry", line_set, systems, judge, seed, threads, settings), output, row)


def evaluate_stream(
    model: Model = DEFAULT,
    voice: Voice = None,
    sentences: Annotated[
        int, typer.Option("--sentences", min=1, help="Number of held-out sentences.")
    ] = 20,
    judge: JudgeOption = None,
    seed: Seed = 0,
    threads: Threads = 1,
    output: Output = None,
    row: RowFile = None,
) -> None:
    """Count wrong words of sentences spoken whole and as a stream, and compare the sound.

    mamtra evaluate stream --sentences 20 --row benchmarks/results/stream.jsonl
    """
    locate(model)
    from mamtra.cli.evaluate_intelligibility import lines_to_say
    from mamtra.evaluation.streamed import StreamingModel
    from mamtra.evaluation.systems import SpeakingModel
    from mamtra.synthesis.load import load

    synthesizer = load(model)
    streaming = StreamingModel(synthesizer, voice, seed)
    systems: list[System] = [SpeakingModel(synthesizer, voice, seed, name="whole"), streaming]
    settings: dict[str, Any] = {"model": synthesizer.name, "voice": voice}
    line_set = lines_to_say(None, sentences)
    evaluation = two_ways("stream", line_set, systems, judge, seed, threads, settings)
    evaluate(evaluation, output, row, lambda: {"from_offline": streaming.from_offline()})
