"""The folder of a distillation: what was asked for, and the student that comes out of it."""

import json
import shutil
from dataclasses import asdict
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
from mamtra.errors import ConfigError, TrainingError
from mamtra.training.checkpoint import FINISHED

REQUEST = "run.json"
STUDENT = "student"
TAGS = ["text-to-speech", "mamtra", "mamba", "hybrid"]
CHANGEABLE = ("steps", "log_every", "evaluate_every", "checkpoint_seconds", "tensorboard")


def request_of(run: Any, places: dict[str, str]) -> dict[str, Any]:
    """What was asked for, as ``run.json`` holds it."""
    return json.loads(json.dumps({**places, **asdict(run)}))


def note_request(folder: Path, request: dict[str, Any]) -> None:
    """Write what was asked for, or hold it against what an earlier start was asked for.

    Raises:
        ConfigError: a run with other values lies there.
    """
    path = folder / REQUEST
    if path.exists():
        before = json.loads(path.read_text())
        for name in CHANGEABLE:
            before.get("settings", {}).pop(name, None)
        wanted = {**request, "settings": dict(request["settings"])}
        for name in CHANGEABLE:
            wanted["settings"].pop(name)
        if changed := sorted(name for name in wanted if wanted[name] != before.get(name)):
            raise ConfigError(
                f"{str(folder)!r} holds a run with another {', '.join(changed)} ({REQUEST}); "
                f"choose another folder, or give the values it was started with"
            )
    write_json(path, request, indent=2, error=TrainingError)


def trained_card(student: ModelFolder, request: dict[str, Any]) -> str:
    """The model card of a distilled student."""
    settings = request["settings"]
    front = front_matter(origin(student.folder) | {"tags": TAGS})
    return f"""{front}# {student.config.name}, distilled

Distilled by `mamtra distill` in {settings["steps"]:,} steps of {request["places"]:,} places each
and process, accumulated {settings["accumulate"]} times, learning rate
{settings["learning_rate"]:g} ({settings["schedule"]}), weights that learnt: {request["freeze"]}.
Teacher, data and every other value are in `run.json`. Nothing was measured of it yet: see
`mamtra evaluate`.
"""


def write_trained(run_folder: Path, source: ModelFolder, learnt: list[str]) -> Path:
    """Write the student's model folder from the run's trained weights.

    Weights that did not learn are taken from the folder the run began with, not from the run, which
    may have rounded them.

    Returns:
        The folder.
    """
    target = run_folder / STUDENT
    request = json.loads((run_folder / REQUEST).read_text())
    model = open_language_model(source)
    trained = load_file(run_folder / FINISHED)
    model.load_state_dict({name: trained[name] for name in learnt}, strict=False)
    if target.exists():
        shutil.rmtree(target)  # of an earlier, shorter run
    with new_folder(target) as folder:
        section = asdict(model.config)
        name = f"{source.config.name}-distilled"
        config = bring_along(source, folder, name, section, source.donor is not None)
        dtype = stored_dtype(source.part_file("speech_lm"))
        save_part(model, folder / "speech_lm.safetensors", dtype)
        shutil.copy2(run_folder / REQUEST, folder)
        (folder / CARD).write_text(trained_card(source, request))
        write_config(folder, config)
    return target
