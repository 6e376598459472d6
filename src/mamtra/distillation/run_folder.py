"""The folder of a distillation: what was asked for, and the student that comes out of it."""

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from mamtra.atomic import write_json
from mamtra.checkpoints.card import CARD, front_matter, origin
from mamtra.checkpoints.derive import bring_along
from mamtra.checkpoints.format import ModelFolder, write_config
from mamtra.checkpoints.modules import open_language_model, save_part
from mamtra.checkpoints.new_folder import new_folder
from mamtra.checkpoints.precision import stored_dtype
from mamtra.config import from_dict, keys_of, value_at
from mamtra.distillation.data import FINGERPRINT
from mamtra.distillation.settings import DistillRun
from mamtra.errors import ConfigError, TrainingError
from mamtra.files import file_sha256, read_json
from mamtra.training.checkpoint import FINISHED
from mamtra.training.loop import LOG
from mamtra.training.workers import world

REQUEST = "run.json"
STUDENT = "student"
SPEECH_LM = "speech_lm"
TAGS = ["text-to-speech", "mamtra", "mamba", "hybrid"]
# what may differ when a run goes on: its length, and what is told of it
CHANGEABLE = {
    "run.epochs",
    *(
        f"run.settings.{name}"
        for name in ("steps", "log_every", "evaluate_every", "checkpoint_seconds", "tensorboard")
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was asked for, as ``run.json`` holds it.

    Attributes:
        teacher, student: their folders, resolved.
        data: fingerprint of the content of the training data, wherever it lies.
        batches_a_step: those of all processes; 0 where it was not kept yet.
        teacher_weights, student_weights: fingerprints of their language models, wherever they lie;
            empty where they were not kept yet.
    """

    teacher: str
    student: str
    data: str
    run: DistillRun
    batches_a_step: int = 0
    teacher_weights: str = ""
    student_weights: str = ""


def weights_fingerprint(model: ModelFolder) -> str:
    """A name for a language model's sizes and weights; reads all of its files.

    Other parts do not matter to a distillation: its student takes them as they are at the end.
    """
    sizes = json.dumps(model.holder(SPEECH_LM).config.speech_lm, sort_keys=True)
    files = [file_sha256(path) for path in model.part_files(SPEECH_LM)]
    return hashlib.sha256("\n".join([sizes, *files]).encode()).hexdigest()[:FINGERPRINT]


def request_of(run: DistillRun, teacher: ModelFolder, student: ModelFolder, data: str) -> Request:
    """What a call asks for; both models' weights must be there."""
    return Request(
        teacher=str(teacher.folder.resolve()),
        student=str(student.folder.resolve()),
        data=data,
        run=run,
        batches_a_step=run.settings.accumulate * world(),
        teacher_weights=weights_fingerprint(teacher),
        student_weights=weights_fingerprint(student),
    )


def compared_otherwise(before: Request) -> set[str]:
    """Keys that another one stands for: content for a place, if the earlier start kept it."""
    pairs = {
        "batches_a_step": "run.settings.accumulate",
        "teacher_weights": "teacher",
        "student_weights": "student",
    }
    return {former if getattr(before, key) else key for key, former in pairs.items()}


def check_request(folder: Path, request: Request) -> None:
    """Compare what is asked for with what an earlier start in a folder was asked for.

    Raises:
        ConfigError: a run with other values lies there, or its ``run.json`` cannot be read.
    """
    path = folder / REQUEST
    if not path.exists():
        return
    before = from_dict(Request, read_json(path), str(path))
    left_out = CHANGEABLE | compared_otherwise(before)
    changed = [
        f"{key.removeprefix('run.')} ({value_at(before, key)}, now {value_at(request, key)})"
        for key, _ in keys_of(request)
        if key not in left_out and value_at(before, key) != value_at(request, key)
    ]
    if changed:
        raise ConfigError(
            f"{str(folder)!r} holds a run with another {', '.join(changed)}; choose another "
            f"folder, or give the values it was started with"
        )


def save_request(folder: Path, request: Request) -> None:
    """Write ``run.json``; from now on the folder is this run's.

    Raises:
        TrainingError: it cannot be written.
    """
    write_json(folder / REQUEST, asdict(request), indent=2, error=TrainingError)


def measured(folder: Path) -> dict[str, Any]:
    """The last line of a run's log that holds measures of held-out utterances; empty if none."""
    found: dict[str, Any] = {}
    for line in (folder / LOG).read_text().splitlines():
        row = json.loads(line)
        if "held_out_ce" in row:
            found = row
    return found


def trained_card(student: ModelFolder, run: DistillRun) -> str:
    """The model card of a distilled student."""
    settings = run.settings
    front = front_matter(origin(student.folder) | {"tags": TAGS})
    return f"""{front}# {student.config.name}, distilled

Distilled by `mamtra distill` in {settings.steps:,} steps of {run.tokens:,} tokens each and process,
accumulated {settings.accumulate} times, learning rate {settings.learning_rate:g}
({settings.schedule}), weights that were trained: {run.freeze}. Teacher, data and every other value
are in `run.json`. Nothing was measured of it yet: see `mamtra evaluate`.
"""


def write_trained(run_folder: Path, source: ModelFolder, trainable: list[str]) -> Path:
    """Write the student's model folder from the run's trained weights.

    Weights that were not trained are taken from the folder the run began with, not from the run,
    which may have rounded them.

    Returns:
        The folder.
    """
    target, path = run_folder / STUDENT, run_folder / REQUEST
    request = from_dict(Request, read_json(path), str(path))
    model = open_language_model(source)
    trained = load_file(run_folder / FINISHED)
    model.load_state_dict({name: trained[name] for name in trainable}, strict=False)
    if target.exists():
        shutil.rmtree(target)  # of an earlier, shorter run
    with new_folder(target) as folder:
        section = asdict(model.config)
        name = f"{source.config.name}-distilled"
        config = bring_along(source, folder, name, section, source.donor is not None)
        dtype = stored_dtype(source.part_file(SPEECH_LM))
        save_part(model, folder / "speech_lm.safetensors", dtype)
        shutil.copy2(path, folder)
        (folder / CARD).write_text(trained_card(source, request.run))
        write_config(folder, config)
    return target
