"""``mamtra evaluate seed-tts``: models and recordings on a whole test set, as papers do."""

from typing import Annotated

import typer

from mamtra.cli import evaluate_options as options
from mamtra.cli.evaluate_run import Evaluation, evaluate
from mamtra.cli.options import Seed
from mamtra.errors import ConfigError


def evaluate_seed_tts(
    models: Annotated[
        list[str] | None, typer.Argument(help="Models that speak: built-in ones or folders.")
    ] = None,
    sentences: Annotated[
        str,
        typer.Option(
            "--set",
            help="meta.lst of Seed-TTS-eval, one sentence a line, everyday, unpredictable, length, "
            "libri-length:FOLDER, librispeech-pc:FILE, minimax:FILE.",
        ),
    ] = ...,  # pyright: ignore[reportArgumentType]  # typer's way of saying that it is needed
    wavs: options.Wavs = None,
    profile: Annotated[
        str, typer.Option("--profile", help="seed-tts, f5, leaderboard or spoken.")
    ] = "seed-tts",
    language: Annotated[str, typer.Option("--language", help="en or zh.")] = "en",
    voice: Annotated[
        str | None,
        typer.Option("--voice", help="One voice for all lines, instead of their prompts."),
    ] = None,
    judge: options.Judge = None,
    quality: options.Quality = None,
    similarity: options.Similarity = None,
    reference: options.Reference = None,
    baseline: Annotated[
        str | None, typer.Option("--baseline", help="System that the others are compared with.")
    ] = None,
    runs: Annotated[
        int, typer.Option("--runs", min=1, help="Number of seeds, averaged line by line.")
    ] = 1,
    one_piece: Annotated[
        bool, typer.Option("--one-piece", help="Speak each line at once, however long it is.")
    ] = False,
    shard: Annotated[
        str | None, typer.Option("--shard", help="2/4: only the second of four parts.")
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", min=1, help="Processes, or tasks at once on Ray.")
    ] = 1,
    engine: Annotated[
        str, typer.Option("--engine", help="Of the workers: processes or ray.")
    ] = "processes",
    limit: options.Limit = None,
    seed: Seed = 0,
    threads: options.Threads = 1,
    output: options.Output = None,
    row: options.RowFile = None,
    page: options.Page = False,
) -> None:
    """Speak a test set, judge it and make the table; every stage resumes.

    mamtra evaluate seed-tts nano nano-teacher --set en/meta.lst --judge whisper:FOLDER -o out

    Each line is spoken in the voice of its prompt, or with --voice. --workers and --engine ray
    share the lines out; shares of a set (--shard) may also run on several machines with the same
    -o, and the command without --shard then makes the table.
    """
    from rich.console import Console

    from mamtra.evaluation.order import (
        Order,
        judge_in_parts,
        named_models,
        names_of,
        opened,
        rooted,
    )
    from mamtra.evaluation.scores import check_lines
    from mamtra.evaluation.text_rules import profile_named
    from mamtra.workers import check_engine, shard_of

    share, shares = shard_of(shard)
    check_engine(engine)
    if (shares > 1 or workers > 1 or engine == "ray") and output is None:
        raise ConfigError("parts of a set need a folder to meet in; add -o FOLDER")
    chosen = profile_named(profile)
    order = Order(
        line_set=rooted(sentences),
        limit=limit,
        models=named_models(models or ()),
        wavs=tuple(str(folder.absolute()) for folder in wavs or ()),
        voice=voice if voice is None else rooted(voice),
        seed=seed,
        runs=runs,
        one_piece=one_piece,
        judges=tuple(map(rooted, options.asked_judges(judge, quality, similarity))),
        language=language,
        threads=threads,
        reference=None if reference is None else str(reference.absolute()),
    )
    rule = chosen.rule(language)
    names, line_set = names_of(order), order.lines()
    check_lines(line_set.lines, rule)
    if baseline is not None and baseline not in names:
        raise ConfigError(f"there is no system {baseline!r}; there are: {', '.join(names)}")
    if shares > 1 or workers > 1 or engine == "ray":
        assert output is not None
        receipts = judge_in_parts(order, output, (share, shares), workers, engine)
        done = sum(receipt["clips"] for receipt in receipts)
        told = f"part {share} of {shares}: {done} clips in {output}"
        Console(stderr=shares == 1).print(told, soft_wrap=True)
    if shares > 1:
        return
    systems, judges = opened(order)
    evaluation = Evaluation(
        kind="seed-tts",
        line_set=line_set,
        systems=systems,
        judges=judges,
        profile=chosen,
        language=language,
        runs=runs,
        seed=seed,
        baselines=dict.fromkeys(names, baseline) if baseline else {},
        settings={"voice": voice, "one_piece": one_piece},
    )
    evaluate(evaluation, output, row, page=page)
