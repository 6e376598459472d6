"""``mamtra distill``: train a student's folder to speak like its teacher's."""

import json
import os
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mamtra.checkpoints.locate import locate
from mamtra.cli.distill_estimate import is_ratio, print_estimate
from mamtra.cli.signals import stop_reported
from mamtra.errors import ConfigError

if TYPE_CHECKING:
    import torch

    from mamtra.checkpoints.format import ModelFolder
    from mamtra.distillation.data import Utterances
    from mamtra.distillation.settings import DistillRun

NAMED = 5  # utterances that are left out and named
REPORTS = 20  # lines of the log that a short run has at least
SENTENCES = ["The quick brown fox jumps over the lazy dog.", "How are you today?"]
USAGE = "mamtra distill TEACHER STUDENT --data SHARDS -o RUN"


def recipe(name: str, pairs: list[str], log_every: int | None, tensorboard: bool) -> "DistillRun":
    """The run that a recipe and ``--set`` ask for.

    Raises:
        ConfigError: the recipe or a key is unknown, or a value cannot work.
    """
    from mamtra.config import with_values
    from mamtra.recipes.distill import recipe_named

    run = with_values(recipe_named(name), pairs)
    keys = {pair.partition("=")[0].strip().rpartition(".")[2] for pair in pairs}
    if "steps" in keys and "epochs" not in keys:
        run = replace(run, epochs=0.0)
    settings = replace(run.settings, tensorboard=tensorboard or run.settings.tensorboard)
    if log_every is not None:
        settings = replace(settings, log_every=log_every)
    return replace(run, settings=settings)


def with_reports(run: "DistillRun", pairs: list[str], log_every: int | None) -> "DistillRun":
    """A short run reports more often, unless it was told how often."""
    if log_every is not None or any("log_every" in pair for pair in pairs):
        return run
    often = max(1, min(run.settings.log_every, run.settings.steps // REPORTS))
    return replace(run, settings=replace(run.settings, log_every=often))


def rehearse(
    teacher: str,
    student: str,
    data: Path | None,
    run: "DistillRun",
    device: "torch.device",
    as_json: bool,
) -> None:
    """Rehearse two steps and print what they cost."""
    from mamtra.checkpoints.format import ModelFolder
    from mamtra.checkpoints.modules import open_language_model
    from mamtra.distillation.dry_run import random_pair, rehearsal, state_bytes_to_come, task_of
    from mamtra.sizing.gpus import readable

    if is_ratio(student):
        pair, utterances = random_pair(teacher, student, device), None
    else:
        opened = [ModelFolder(locate(name)) for name in (teacher, student)]
        first, second = map(open_language_model, opened)
        pair = first, second
        utterances = read_utterances(data, opened[1]) if data is not None else None
    task = task_of(pair, utterances, replace(run, held_out=0), device)
    later = state_bytes_to_come(task)
    for step in rehearsal(task):
        if as_json:
            line = json.dumps(asdict(step) | {"adam_bytes": later, "device": str(device)})
        else:
            line = (
                f"step {step.step}: {step.seconds:.1f} s for {step.tokens:,} tokens, loss "
                f"{step.loss:.3f}, peak {readable(step.peak_bytes)} so far, "
                f"Adam needs {readable(later)} more"
            )
        print(line, flush=True)


def read_utterances(data: Path, student: "ModelFolder") -> "Utterances":
    """Prepared speech; reports what the model cannot read of it."""
    from mamtra.distillation.data import open_utterances

    utterances = open_utterances(data, student)
    left_out = getattr(utterances, "left_out", ())
    if left_out and os.environ.get("RANK", "0") == "0":  # processes have not met yet
        names = ", ".join(left_out[:NAMED]) + ", ..." * (len(left_out) > NAMED)
        message = f"left out {len(left_out)} utterances whose text cannot be read: {names}"
        print(message, file=sys.stderr)
    return utterances


def report(folder: Path, target: Path, as_json: bool) -> None:
    """Print how the run ended: the last measures, and how to speak with the student."""
    from mamtra.distillation.run_folder import measured

    row = measured(folder)
    if as_json:
        print(json.dumps({**row, "student": str(target)}))
        return
    if row:
        print(
            f"held out: ce {row['held_out_ce']:.3g}, teacher {row['held_out_teacher_ce']:.3g} "
            f"after {row['step']} steps",
            file=sys.stderr,
        )
    print(
        f"the student is in {target}; speak with: mamtra say TEXT --model {target}",
        file=sys.stderr,
    )


def train(
    teacher: str, student: str, data: Path, output: Path, run: "DistillRun", **given: Any
) -> None:
    """Train, or go on with a run that was stopped."""
    from mamtra.checkpoints.format import ModelFolder
    from mamtra.distillation.data import fingerprint
    from mamtra.distillation.distill import batches_for, distill, with_steps
    from mamtra.distillation.samples import sampler_for
    from mamtra.speech_lm import SpeechLMConfig
    from mamtra.training.device import placed
    from mamtra.training.workers import rank

    first, second = ModelFolder(locate(teacher)), ModelFolder(locate(student))
    utterances = read_utterances(data, second)
    config = second.section("speech_lm", SpeechLMConfig)
    run = with_steps(run, batches_for(run, utterances, config))
    run = with_reports(run, given["pairs"], given["log_every"])
    sentences = given["say"]
    with stop_reported(), placed(given["device"]) as device:
        target = distill(
            output,
            first,
            second,
            utterances,
            run,
            data=fingerprint(data),
            device=device,
            sampler=sampler_for(second, sentences) if sentences else None,
        )
        if rank() == 0:
            report(output, target, given["as_json"])


def distill(
    teacher: Annotated[str, typer.Argument(help="A built-in model, a folder, or a size.")],
    student: Annotated[str, typer.Argument(help="Made by mamtra convert; or a ratio, as 1:3.")],
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder that mamtra prepare made.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The run's folder; goes on with it.")
    ] = None,
    recipe_name: Annotated[
        str, typer.Option("--recipe", help="paper or teacher-first (docs/distill.md).")
    ] = "paper",
    pairs: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change a value of the recipe, KEY=VALUE; repeatable.",
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:1.")] = "auto",
    log_every: Annotated[
        int | None, typer.Option(min=1, help="Steps between two lines of the log.")
    ] = None,
    say: Annotated[
        list[str] | None, typer.Option("--say", help="A sample's text; repeatable.")
    ] = None,
    samples: Annotated[bool, typer.Option(help="Write samples at each evaluation.")] = True,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Log for TensorBoard as well.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Two steps without changing anything.")
    ] = False,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Bytes and hours by arithmetic; runs nothing.")
    ] = False,
    hours: Annotated[float, typer.Option(help="With --estimate: hours of speech.")] = 555.0,
    utilisation: Annotated[
        float, typer.Option(help="With --estimate: share of a card's peak that is reached.")
    ] = 0.2,
    as_json: Annotated[bool, typer.Option("--json", help="Report as JSON lines.")] = False,
) -> None:
    """Train a student's folder to speak like its teacher's, on prepared speech; resumable.

    mamtra distill TEACHER STUDENT --data SHARDS -o RUN

    mamtra distill TEACHER STUDENT --data SHARDS -o RUN --recipe teacher-first --set steps=2000

    torchrun --nproc-per-node 4 --no-python mamtra distill TEACHER STUDENT --data SHARDS -o RUN

    mamtra distill cosyvoice2 1:1 --dry-run --set tokens=600

    mamtra distill cosyvoice2 1:1 --estimate
    """
    training = not (dry_run or estimate)
    if training and (is_ratio(student) or data is None or output is None):
        raise ConfigError(
            f"training needs folders, --data and -o: {USAGE}; sizes and a ratio, as cosyvoice2 "
            f"1:1, are for --dry-run and --estimate"
        )

    # torch loads here and not for --help
    run = recipe(recipe_name, pairs or [], log_every, tensorboard)
    if estimate:
        print_estimate(teacher, student, run, hours, utilisation, as_json)
        return
    if dry_run:
        from mamtra.training.device import placed

        with placed(device) as where:
            rehearse(teacher, student, data, run, where, as_json)
        return
    assert data is not None
    assert output is not None
    train(
        teacher,
        student,
        data,
        output,
        run,
        pairs=pairs or [],
        log_every=log_every,
        device=device,
        say=(say or SENTENCES) if samples else [],
        as_json=as_json,
    )
