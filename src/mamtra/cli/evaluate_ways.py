"""``mamtra evaluate carry``, ``stream`` and ``bits``: one model that says lines in several ways."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mamtra.checkpoints.locate import DEFAULT, locate
from mamtra.cli import evaluate_options as options
from mamtra.cli.evaluate_run import Evaluation, evaluate
from mamtra.cli.options import Model, Seed, Voice

if TYPE_CHECKING:
    from mamtra.evaluation.line_set import LineSet
    from mamtra.evaluation.systems import System

Sentences = Annotated[int, typer.Option("--sentences", min=1, help="Number of held-out sentences.")]


def in_ways(
    kind: str,
    line_set: "LineSet",
    systems: "list[System]",
    judge: list[str] | None,
    seed: int,
    threads: int,
    settings: dict[str, Any],
) -> Evaluation:
    """The other systems compared with the first."""
    from mamtra.evaluation.harness import open_judges
    from mamtra.evaluation.text_rules import profile_named

    return Evaluation(
        kind=kind,
        line_set=line_set,
        systems=systems,
        judges=open_judges(judge or [options.JUDGE], line_set, threads=threads),
        profile=profile_named("spoken"),
        seed=seed,
        baselines={system.name: systems[0].name for system in systems[1:]},
        settings=settings,
    )


def evaluate_carry(
    model: Model = DEFAULT,
    voice: Voice = None,
    pairs: Annotated[int, typer.Option("--pairs", min=1, help="Pairs of sentences.")] = 20,
    judge: options.Judge = None,
    seed: Seed = 0,
    threads: options.Threads = 1,
    output: options.Output = None,
    row: options.RowFile = None,
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
    evaluate(in_ways("carry", line_set, systems, judge, seed, threads, settings), output, row)


def evaluate_stream(
    model: Model = DEFAULT,
    voice: Voice = None,
    sentences: Sentences = 20,
    judge: options.Judge = None,
    seed: Seed = 0,
    threads: options.Threads = 1,
    output: options.Output = None,
    row: options.RowFile = None,
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
    evaluation = in_ways("stream", line_set, systems, judge, seed, threads, settings)
    evaluate(evaluation, output, row, lambda: {"from_offline": streaming.from_offline()})


def evaluate_bits(
    model: Model = DEFAULT,
    voice: Voice = None,
    sentences: Sentences = 60,
    judge: options.Judge = None,
    seed: Seed = 0,
    threads: options.Threads = 1,
    output: options.Output = None,
    row: options.RowFile = None,
) -> None:
    """Compare a model in 32, 8 and 4 bits: words that a judge hears, and the ids it draws.

    mamtra evaluate bits --judge whisper:whisper-tiny.en --row benchmarks/results/bits.jsonl
    """
    folder = locate(model)
    import tempfile
    from pathlib import Path

    from mamtra.checkpoints.format import ModelFolder
    from mamtra.cli.evaluate_intelligibility import lines_to_say
    from mamtra.evaluation.bits import FORMS, FewBits, compare, export_forms

    line_set = lines_to_say(None, sentences)
    source = ModelFolder(folder)
    settings: dict[str, Any] = {"model": source.config.name, "voice": voice}
    with tempfile.TemporaryDirectory() as place:
        made = export_forms(source, Path(place) / "forms")
        forms = [FewBits(made, bits, voice, seed) for bits in FORMS]
        evaluation = in_ways("bits", line_set, [*forms], judge, seed, threads, settings)
        texts = [line.text for line in line_set.lines]
        evaluate(evaluation, output, row, lambda: {"ids": compare(forms, texts)})
