"""``mamtra distill``: train a student's folder to speak like its teacher's."""

import json
import os
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mamtra.checkpoints.locate import locate
from mamtra.errors import ConfigError

NAMED = 5  # utterances that are left out and told by name

if TYPE_CHECKING:
    from mamtra.checkpoints.format import ModelFolder
    from mamtra.distillation.data import Utterances
    from mamtra.distillation.distill import DistillRun, DistillTask
    from mamtra.distillation.training_bytes import Estimate
    from mamtra.speech_lm import SpeechLM
    from mamtra.transfer.losses import DistillLosses


def show_estimate(found: "Estimate") -> None:
    """Bytes by part and hours by card, for people."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from mamtra.sizing.gpus import readable

    console = Console()
    drawn = Table(title="on each device, by arithmetic", box=SIMPLE_HEAD)
    drawn.add_column("part")
    drawn.add_column("bytes", justify="right")
    for name, count in (*asdict(found.parts).items(), ("total", found.parts.total)):
        drawn.add_row(name, readable(count))
    console.print(drawn)
    drawn = Table(
        title=f"{found.hours_of_speech:g} h of speech, {found.epochs:g} times: "
        f"{found.places:,} places, {found.steps:,} steps, {found.operations:.2g} operations",
        box=SIMPLE_HEAD,
    )
    for name in ("card", "hours on one", "this batch fits", "largest batch, places"):
        drawn.add_column(name, justify="left" if name == "card" else "right")
    for card in found.cards:
        fits = "yes" if card.fits else "no"
        drawn.add_row(card.card, f"{card.hours:,.1f}", fits, f"{card.largest_places:,}")
    console.print(drawn)
    console.print(
        f"hours assume that {found.utilisation:.0%} of a card's best is reached; activations and "
        f"logits are estimates",
        highlight=False,
    )


def print_estimate(models: tuple[str, str], run: "DistillRun", given: dict[str, Any]) -> None:
    """Print what a run will take; ``models`` are sizes or folders, the second may be a ratio."""
    from mamtra.distillation.training_bytes import estimate
    from mamtra.sizing.sizes import model_sizes, shaped

    teacher, student = models
    sizes = model_sizes(teacher)
    shape = ":" in student and not Path(student).exists()
    other = shaped(sizes, student) if shape else model_sizes(student)
    as_json = given.pop("as_json")
    found = estimate(sizes.speech_lm, other.speech_lm, run, **given)
    if as_json:
        print(json.dumps(found.row()))
    else:
        show_estimate(found)


def folder_pair(teacher: str, student: str) -> tuple["SpeechLM", "SpeechLM"]:
    """The language models of two folders."""
    from mamtra.checkpoints.format import ModelFolder
    from mamtra.checkpoints.modules import open_language_model

    opened = [ModelFolder(locate(name)) for name in (teacher, student)]
    first, second = map(open_language_model, opened)
    return first, second


def dry_run(task: "DistillTask", as_json: bool) -> None:
    """Rehearse two steps and print what they cost."""
    from mamtra.distillation.dry_run import rehearsal, state_bytes_to_come
    from mamtra.sizing.gpus import readable

    later = state_bytes_to_come(task)
    for step in rehearsal(task):
        if as_json:
            told = json.dumps(asdict(step) | {"adam_bytes": later, "device": str(task.device)})
        else:
            told = (
                f"step {step.step}: {step.seconds:.1f} s for {step.places:,} places, loss "
                f"{step.loss:.3f}, peak {readable(step.peak_bytes)} so far, "
                f"Adam needs {readable(later)} more"
            )
        print(told, flush=True)


def opened(data: Path, learner: "ModelFolder") -> "Utterances":
    """Prepared speech; tells what the model cannot read of it."""
    from mamtra.distillation.data import open_utterances

    utterances = open_utterances(data, learner)
    left_out = getattr(utterances, "left_out", ())
    if left_out and os.environ.get("RANK", "0") == "0":  # processes have not met yet
        names = ", ".join(left_out[:NAMED]) + ", ..." * (len(left_out) > NAMED)
        told = f"left out {len(left_out)} utterances whose text cannot be read: {names}"
        print(told, file=sys.stderr)
    return utterances


def read_losses(given: str) -> "DistillLosses":
    """The three weights.

    Raises:
        ConfigError: they are not three numbers of at least 0.
    """
    from mamtra.transfer.losses import DistillLosses

    try:
        ce, logits, embedding = (float(weight) for weight in given.split(","))
    except ValueError:
        raise ConfigError(
            f"--losses {given}: give three numbers for the speech itself, the teacher's answers "
            f"and its embeddings, such as 0.5,0.125,0.125 or 0.1,1,0.125"
        ) from None
    return DistillLosses(ce=ce, logits=logits, embedding=embedding)


def read_sentences_to_say(sentences: list[str] | None) -> list[str]:
    """What is spoken during training."""
    return sentences or ["The quick brown fox jumps over the lazy dog.", "How are you today?"]


def distill(
    teacher: Annotated[str | None, typer.Argument(help="A built-in model or a folder.")] = None,
    student: Annotated[str | None, typer.Argument(help="Made by mamtra convert.")] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Shards made by mamtra prepare.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The run's folder; goes on with it.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Instead of --epochs.")] = None,
    epochs: Annotated[float, typer.Option(help="Times that the data is read.")] = 15.0,
    learning_rate: Annotated[float, typer.Option(min=0.0)] = 1e-5,
    optimizer: Annotated[str, typer.Option(help="adam (the paper's) or muon.")] = "adam",
    losses: Annotated[
        str, typer.Option(help="Weights of speech, the teacher's answers and its embeddings.")
    ] = "0.5,0.125,0.125",
    schedule: Annotated[str, typer.Option(help="constant (the paper's) or cosine.")] = "constant",
    warmup: Annotated[int, typer.Option(min=0, help="Steps of a rising learning rate.")] = 0,
    tokens_per_batch: Annotated[
        int, typer.Option(min=1, help="Text and speech ids, on each device.")
    ] = 22_500,
    accumulate: Annotated[int, typer.Option(min=1, help="Batches in a step.")] = 1,
    freeze: Annotated[str, typer.Option(help="What learns: mamba (the paper's), all, ...")] = (
        "mamba"
    ),
    precision: Annotated[str, typer.Option(help="bfloat16 or float32.")] = "bfloat16",
    checkpointing: Annotated[
        bool, typer.Option("--checkpointing", help="Recompute activations: slower, smaller.")
    ] = False,
    bi_stream: Annotated[
        bool, typer.Option(help="Let half of the utterances alternate text and speech.")
    ] = True,
    keep_answers: Annotated[
        int, typer.Option(min=0, help="Keep the teacher's N most probable ids for later epochs.")
    ] = 0,
    ema: Annotated[float, typer.Option(help="Keep a running mean, as 0.999; 0: none.")] = 0.0,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    held_out: Annotated[
        int, typer.Option(min=0, help="Utterances kept from training, to measure on.")
    ] = 64,
    evaluate_every: Annotated[int, typer.Option(min=1, help="Steps.")] = 500,
    checkpoint_seconds: Annotated[float, typer.Option(help="Between checkpoints.")] = 300.0,
    say: Annotated[
        list[str] | None, typer.Option("--say", help="A sample's text; may be repeated.")
    ] = None,
    samples: Annotated[bool, typer.Option(help="Write samples at each evaluation.")] = True,
    tensorboard: Annotated[bool, typer.Option("--tensorboard")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:1.")] = "auto",
    rehearse: Annotated[
        bool, typer.Option("--dry-run", help="Two steps without changing anything.")
    ] = False,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Bytes and hours by arithmetic; runs nothing.")
    ] = False,
    sizes: Annotated[
        str | None, typer.Option("--sizes", help="For both: random weights of this model's sizes.")
    ] = None,
    ratio: Annotated[str, typer.Option(help="With --sizes: attention:Mamba.")] = "1:1",
    hours: Annotated[float, typer.Option(help="With --estimate: of speech.")] = 555.0,
    utilisation: Annotated[
        float, typer.Option(help="With --estimate: share of a card's best that is reached.")
    ] = 0.2,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Train a student's folder to speak like its teacher's, on prepared speech; resumable.

    mamtra distill TEACHER STUDENT --data SHARDS -o RUN

    torchrun --nproc-per-node 4 --no-python mamtra distill TEACHER STUDENT --data SHARDS -o RUN

    mamtra distill --dry-run --sizes cosyvoice2 --ratio 1:1 --tokens-per-batch 600

    mamtra distill --estimate --sizes cosyvoice2 --ratio 1:1
    """
    if sizes is None and (teacher is None or student is None):
        raise ConfigError(
            "teacher and student are needed: mamtra distill TEACHER STUDENT --data SHARDS -o RUN "
            "(or --sizes cosyvoice2 with --dry-run or --estimate)"
        )
    if not (rehearse or estimate) and (sizes or data is None or output is None):
        raise ConfigError("training needs --data SHARDS and -o RUN; --sizes is for --dry-run")

    # torch loads here and not for --help
    from mamtra.distillation.distill import DistillRun, paper_settings
    from mamtra.training.device import placed, processes

    run = DistillRun(
        settings=replace(
            paper_settings(steps or 1),
            learning_rate=learning_rate,
            optimizer=optimizer,
            schedule=schedule,
            warmup_steps=warmup,
            precision=precision,
            accumulate=accumulate,
            ema=ema,
            seed=seed,
            evaluate_every=evaluate_every,
            checkpoint_seconds=checkpoint_seconds,
            tensorboard=tensorboard,
        ),
        losses=read_losses(losses),
        places=tokens_per_batch,
        freeze=freeze,
        bi_stream=bi_stream,
        recompute=checkpointing,
        held_out=held_out,
        answers=keep_answers,
    )
    if estimate:
        names = (str(sizes), ratio) if sizes else (str(teacher), str(student))
        given = {"hours_of_speech": hours, "epochs": epochs, "utilisation": utilisation}
        print_estimate(names, run, given | {"as_json": as_json})
        return
    from mamtra.checkpoints.format import ModelFolder

    if rehearse:
        from mamtra.distillation.dry_run import random_pair, task_of

        run = replace(run, held_out=0)
        with placed(device) as where:
            pair = random_pair(sizes, ratio) if sizes else folder_pair(str(teacher), str(student))
            learner = None if student is None else ModelFolder(locate(student))
            read = opened(data, learner) if data and learner else None
            dry_run(task_of(pair, read, run, where), as_json)
        return

    from mamtra.distillation.distill import batches_for, distill
    from mamtra.distillation.samples import sampler_for
    from mamtra.speech_lm import SpeechLMConfig
    from mamtra.training.workers import rank

    assert data is not None
    assert output is not None
    taught, learner = ModelFolder(locate(str(teacher))), ModelFolder(locate(str(student)))
    utterances = opened(data, learner)
    if steps is None:
        batches = batches_for(run, utterances, learner.section("speech_lm", SpeechLMConfig))
        steps = batches.steps(epochs, accumulate * processes())
        run = replace(run, settings=replace(run.settings, steps=steps))
    with placed(device) as where:
        target = distill(
            output,
            taught,
            learner,
            utterances,
            run,
            data=str(data),
            device=where,
            sampler=sampler_for(learner, read_sentences_to_say(say)) if samples else None,
        )
        if rank() == 0:
            told = f"the student is in {target}; speak with: mamtra say TEXT --model {target}"
            print(told, file=sys.stderr)
