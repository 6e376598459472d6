"""``mamtra evaluate seed-tts``: models and recordings on a whole test set, as papers do."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mamtra.checkpoints.locate import locate
from mamtra.cli.evaluate_run import (
    JUDGE,
    Evaluation,
    JudgeOption,
    Limit,
    Output,
    Page,
    QualityOption,
    Reference,
    RowFile,
    Seed,
    SimilarityOption,
    Threads,
    Wavs,
    evaluate,
    judge_part,
    opened_judges,
)
from mamtra.errors import ConfigError

if TYPE_CHECKING:
    from mamtra.evaluation.line_set import LineSet
    from mamtra.evaluation.systems import System


def shard_of(written: str | None) -> tuple[int, int]:
    """``2/4`` as the second of four; nothing as the only one.

    Raises:
        ConfigError: it has another form.
    """
    if written is None:
        return 1, 1
    part, sign, count = written.partition("/")
    if not (sign and part.isdecimal() and count.isdecimal() and 1 <= int(part) <= int(count)):
        raise ConfigError(f"shard {written!r} is not of the form 2/4, the second of four")
    return int(part), int(count)


def systems_of(
    models: Sequence[str],
    voice: str | None,
    seed: int,
    wavs: Sequence[Path],
    lines: "LineSet",
    one_piece: bool,
) -> "list[System]":
    """Models and folders of recordings, named by their folders.

    Raises:
        ConfigError: there is none, or two have one name.
    """
    from mamtra.evaluation.systems import Recordings, SpeakingModel
    from mamtra.synthesis.load import load

    names = [Path(model).name for model in models] + [path.resolve().name for path in wavs]
    if not names:
        raise ConfigError("nothing to evaluate; name a model, or recordings with --wavs FOLDER")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"two systems are called {twice[0]!r}; give their folders other names")
    spoken: list[System] = [
        SpeakingModel(load(model), voice, seed, Path(model).name, one_piece) for model in models
    ]
    return spoken + [Recordings(path, lines) for path in wavs]


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
    wavs: Wavs = None,
    profile: Annotated[
        str, typer.Option("--profile", help="seed-tts, f5, leaderboard or spoken.")
    ] = "seed-tts",
    language: Annotated[str, typer.Option("--language", help="en or zh.")] = "en",
    voice: Annotated[
        str | None, typer.Option("--voice", help="One for all lines, instead of their prompts.")
    ] = None,
    judge: JudgeOption = None,
    quality: QualityOption = None,
    similarity: SimilarityOption = None,
    reference: Reference = None,
    baseline: Annotated[
        str | None, typer.Option("--baseline", help="System that the others are compared with.")
    ] = None,
    runs: Annotated[int, typer.Option("--runs", min=1, help="Seeds; averaged line by line.")] = 1,
    one_piece: Annotated[
        bool, typer.Option("--one-piece", help="Speak each line at once, however long it is.")
    ] = False,
    shard: Annotated[
        str | None, typer.Option("--shard", help="2/4: only the second of four parts.")
    ] = None,
    limit: Limit = None,
    seed: Seed = 0,
    threads: Threads = 1,
    output: Output = None,
    row: RowFile = None,
    page: Page = False,
) -> None:
    """Speak a test set, judge it and make the table; every stage resumes.

    mamtra evaluate seed-tts nano nano-teacher --set en/meta.lst --judge whisper:FOLDER -o out

    Each line is spoken in the voice of its prompt, or with --voice. Parts of a set (--shard) may
    run in several processes with the same -o; the command without --shard then makes the table.
    """
    from rich.console import Console

    from mamtra.evaluation.named_sets import open_set
    from mamtra.evaluation.text_rules import profile_named

    part, parts = shard_of(shard)
    for model in models or ():
        locate(model)
    if parts > 1 and output is None:
        raise ConfigError("parts of a set need a folder to meet in; add -o FOLDER")
    chosen = profile_named(profile)
    chosen.rule(language)
    line_set = open_set(sentences).part(limit)
    systems = systems_of(models or (), voice, seed, wavs or (), line_set, one_piece)
    names = [system.name for system in systems]
    if baseline is not None and baseline not in names:
        raise ConfigError(f"there is no system {baseline!r}; there are: {', '.join(names)}")
    asked = [*(judge or [JUDGE]), *(quality or ()), *(similarity or ())]
    texts = [line.text for line in line_set.lines]
    evaluation = Evaluation(
        kind="seed-tts",
        line_set=line_set,
        systems=systems,
        judges=opened_judges(asked, texts, language, threads, reference),
        profile=chosen,
        language=language,
        runs=runs,
        seed=seed,
        baselines=dict.fromkeys(names, baseline) if baseline else {},
        settings={"voice": voice, "one_piece": one_piece},
    )
    if parts > 1:
        assert output is not None
        done = judge_part(evaluation, output, part, parts)
        Console().print(f"part {part} of {parts}: {done} clips in {output}", soft_wrap=True)
        return
    evaluate(evaluation, output, row, page=page)
