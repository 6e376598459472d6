"""``mamtra evaluate intelligibility``: how well speech is understood, anybody's too."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mamtra.checkpoints.locate import DEFAULT, locate
from mamtra.cli import evaluate_options as options
from mamtra.cli.evaluate_run import Evaluation, evaluate
from mamtra.cli.options import Seed
from mamtra.errors import ConfigError

if TYPE_CHECKING:
    from mamtra.evaluation.line_set import LineSet
    from mamtra.evaluation.stages import Chain
    from mamtra.evaluation.systems import System


def lines_to_say(written: str | None, limit: int | None) -> "LineSet":
    """A test set by its name or path; else the sentences that were kept out of training.

    Raises:
        CorpusError: the file cannot be read or holds no sentence.
    """
    from mamtra.evaluation.named_sets import open_set

    return open_set("everyday" if written is None else written).part(limit)


def chains_of(model: str, voices: list[str] | None, seed: int) -> "list[Chain]":
    """The stages of each voice asked for."""
    from mamtra.evaluation.stages import Chain
    from mamtra.synthesis.load import load

    synthesizer = load(model)
    return [Chain(synthesizer, voice, seed) for voice in voices or [None]]


def stages_of(
    chains: "list[Chain]", stages: list[str] | None
) -> "tuple[list[System], dict[str, str]]":
    """The stages as systems, and for each the source that it is compared with.

    Raises:
        ConfigError: there is no such stage, or one that was asked for cannot be made.
    """
    from mamtra.evaluation.stages import SOURCE, STAGES

    unknown = [name for name in stages or () if name not in STAGES]
    if unknown:
        raise ConfigError(f"stage {unknown[0]!r} is unknown; known: {', '.join(STAGES)}")
    systems: list[System] = []
    baselines = {}
    for chain in chains:
        if absent := [name for name in stages or () if name not in chain.stages]:
            raise ConfigError(
                f"stage {absent[0]!r} of the voice {chain.voice.name!r} needs the source that it "
                f"learned from: {chain.missing}"
            )
        made = chain.systems(stages or STAGES)
        systems += made
        baselines |= {system.name: f"{chain.voice.name}/{SOURCE}" for system in made}
    return systems, baselines


def evaluate_intelligibility(
    model: Annotated[
        str | None, typer.Option("--model", help="A built-in model or a folder.")
    ] = None,
    sentences: Annotated[
        str | None,
        typer.Option(
            "--sentences",
            help="One a line, meta.lst, or a set's name; else everyday, kept from training.",
        ),
    ] = None,
    wavs: options.Wavs = None,
    voice: Annotated[
        list[str] | None, typer.Option("--voice", help="A voice of the model; repeatable.")
    ] = None,
    stage: Annotated[
        list[str] | None,
        typer.Option("--stage", help="source, vocoder, copy, forced or speech; else all."),
    ] = None,
    judge: options.Judge = None,
    quality: options.Quality = None,
    similarity: options.Similarity = None,
    reference: options.Reference = None,
    limit: options.Limit = None,
    seed: Seed = 0,
    threads: options.Threads = 1,
    output: options.Output = None,
    row: options.RowFile = None,
    page: options.Page = False,
) -> None:
    """Let judges write down and rate what is said, and count wrong and dropped words.

    mamtra evaluate intelligibility --sentences lines.txt --wavs recordings --judge whisper:FOLDER

    mamtra evaluate intelligibility --model nano --voice heart --quality distillmos -o results

    Of a model, each stage of its chain is judged: the source that the voice learned from, vocoder,
    copy synthesis, forced tokens, speech. With --wavs and without --model, only recordings are.
    """
    speaks = model is not None or not wavs
    if speaks:
        locate(model or DEFAULT)
    line_set = lines_to_say(sentences, limit)
    # torch loads here and not for --help
    from rich.console import Console

    from mamtra.evaluation.harness import open_judges
    from mamtra.evaluation.systems import Recordings
    from mamtra.evaluation.text_rules import profile_named

    names = options.asked_judges(judge, quality, similarity)
    judges = open_judges(names, line_set, threads=threads, reference=reference)
    systems: list[System] = [Recordings(folder, line_set) for folder in wavs or ()]
    baselines: dict[str, str] = {}
    if speaks:
        chains = chains_of(model or DEFAULT, voice, seed)
        made, baselines = stages_of(chains, stage)
        systems = [*made, *systems]
        for chain in chains:
            if chain.missing and not stage:  # what was asked for by name was refused above
                text = f"voice {chain.voice.name}: no source to compare with: {chain.missing}"
                Console(stderr=True).print(text, markup=False)
    evaluation = Evaluation(
        kind="intelligibility",
        line_set=line_set,
        systems=systems,
        judges=judges,
        profile=profile_named("spoken"),
        seed=seed,
        baselines=baselines,
        settings={"model": Path(model or DEFAULT).name} if speaks else {},
    )
    evaluate(evaluation, output, row, page=page)
