"""One trial of the laboratory: a student, trained briefly and measured, in a folder of its own.

A trial is finished when its ``result.json`` is there; a killed one goes on where it was stopped.
The folder's name is made from the run itself, so laboratories share what they both ask for, and a
run that was changed is a new one.
Trials of one laboratory share teacher, batches, steps and test sentences, so that only what they
are about differs.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from mamtra.atomic import write_json
from mamtra.checkpoints.format import ModelConfig, ModelFolder, write_config
from mamtra.checkpoints.modules import save_part
from mamtra.corpus.synthetic.manifest import Corpus
from mamtra.corpus.synthetic.tokens import TokenTable
from mamtra.errors import TrainingError
from mamtra.evaluation.intervals import interval
from mamtra.evaluation.judges.pocketsphinx import Pocketsphinx
from mamtra.evaluation.understood import understood
from mamtra.files import read_rows
from mamtra.recipes.nano.assemble import LM_FILE
from mamtra.recipes.nano.speech_lm import SpeechLMRun, SpeechLMTask
from mamtra.recipes.nano.stages import Workshop
from mamtra.recipes.nano.student import StudentRun, train_student, untrained
from mamtra.speech_lm.model import SpeechLM
from mamtra.synthesis.load import open_folder
from mamtra.synthesis.synthesizer import Synthesizer
from mamtra.training.loop import LOG

RESULT = "result.json"
TEACHER = "teacher"  # its own row is kept beside the trials'
FORM = "default"  # of the recogniser


def decided(config: Any) -> Any:
    """What a config says beyond its defaults, as plain values.

    A setting that comes into being later, and has its default, then makes no old run a new one.
    """
    if not is_dataclass(config) or isinstance(config, type):
        return config
    told = {}
    for entry in fields(config):
        value = getattr(config, entry.name)
        usual = entry.default if entry.default_factory is MISSING else entry.default_factory()
        if value != usual:
            told[entry.name] = decided(value)
    return told


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What is tried.

    Attributes:
        name: for people.
        facts: what tells it from the other trials, for tables and pictures.
        every_seed: whether it is repeated where several seeds are asked for.
    """

    name: str
    run: StudentRun
    facts: dict[str, str | int] = field(default_factory=dict)
    every_seed: bool = True

    @property
    def folder_name(self) -> str:
        """Name of its folder."""
        content = json.dumps(decided(self.run), sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:12]

    def seeded(self, seed: int) -> "Trial":
        """The same with everything that starts at random drawn from another seed."""
        settings = replace(self.run.settings, seed=seed)
        return replace(
            self,
            name=f"{self.name}-seed{seed}",
            run=replace(self.run, settings=settings, data_seed=self.run.data_seed + seed),
            facts={**self.facts, "seed": seed},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What all trials share.

    Attributes:
        workshop: where corpus, tokens and teacher lie.
        model: the model whose other parts the students speak with.
        sentences: what they say to be understood; none leaves the word error rate out.
        teacher: the run that made the teacher.
    """

    workshop: Workshop
    folder: Path
    model: Path
    sentences: Sequence[str]
    teacher: SpeechLMRun = field(default_factory=SpeechLMRun)


def speaking_folder(weights: Path, config: Any, model: Path, folder: Path) -> ModelFolder:
    """A model folder with these language model weights and another model's other parts."""
    section = asdict(config)
    donor = os.path.relpath(model.resolve(), folder.resolve())
    write_config(folder, ModelConfig(name=folder.name, parts_from=donor, speech_lm=section))
    lm = SpeechLM(config)
    lm.load_state_dict(load_file(weights))
    save_part(lm, folder / LM_FILE)
    return ModelFolder(folder)


def speech_figures(synthesizer: Synthesizer, sentences: Sequence[str], seed: int) -> dict[str, Any]:
    """Word error rate in percent with its 95 % interval, and the share that went wrong."""
    found = list(understood(synthesizer, sentences, Pocketsphinx(FORM), seed))
    rate = interval([one.wrong for one, _ in found], [one.words for one, _ in found])
    return {
        "wer": round(100 * rate.value, 2),
        "wer_low": round(100 * rate.low, 2),
        "wer_high": round(100 * rate.high, 2),
        "degenerate_percent": round(100 * sum(not ended for _, ended in found) / len(found), 2),
    }


def evaluated(model: SpeechLM, weights: Path, bench: Bench, run: SpeechLMRun) -> dict[str, float]:
    """Held-out cross entropies of trained weights, in float32."""
    workshop = bench.workshop
    task = SpeechLMTask(run, Corpus.open(workshop.corpus), TokenTable.open(workshop.tokens))
    task.model = model.float().eval()
    task.model.load_state_dict(load_file(weights))
    with torch.inference_mode():
        return task.evaluate()


def measured(
    bench: Bench, folder: Path, model: SpeechLM, weights: Path, run: StudentRun
) -> dict[str, Any]:
    """Everything that is measured of trained weights: cross entropies and word errors."""
    row: dict[str, Any] = evaluated(model, weights, bench, run.teacher)
    if bench.sentences:
        speaking = speaking_folder(weights, model.config, bench.model, folder / "student")
        row |= speech_figures(open_folder(speaking), bench.sentences, run.settings.seed)
        row["sentences"] = len(bench.sentences)
    return row


def keep(folder: Path, row: dict[str, Any]) -> dict[str, Any]:
    """Write a row beside its place and rename it: from now on the trial is finished."""
    write_json(folder / RESULT, row, error=TrainingError)
    return row


def finished(folder: Path, name: str) -> dict[str, Any] | None:
    """The row of a trial in a laboratory's folder; None if it is not finished."""
    path = folder / "trials" / name / RESULT
    return json.loads(path.read_text()) if path.exists() else None


def complete(row: dict[str, Any], bench: Bench) -> bool:
    """Whether a finished trial has everything that is asked for now."""
    return not bench.sentences or row.get("sentences") == len(bench.sentences)


def measured_teacher(bench: Bench) -> dict[str, Any]:
    """The row of the teacher itself, as it is."""
    folder = bench.folder / "trials" / TEACHER
    if (found := finished(bench.folder, TEACHER)) and complete(found, bench):
        return found
    folder.mkdir(parents=True, exist_ok=True)
    run = StudentRun(teacher=bench.teacher)
    model, weights = SpeechLM(run.teacher.config), bench.workshop.weights("teacher")
    row = {"trial": TEACHER, **measured(bench, folder, model, weights, run)}
    return keep(folder, row)


def carry_out(trial: Trial, bench: Bench) -> dict[str, Any]:
    """Train and measure a trial unless that was done; returns its row."""
    folder = bench.folder / "trials" / trial.folder_name
    if (found := finished(bench.folder, trial.folder_name)) and complete(found, bench):
        return {**found, "trial": trial.name, **trial.facts}
    workshop, run = bench.workshop, trial.run
    train_student(workshop.corpus, workshop.tokens, workshop.weights("teacher"), folder, run)
    model, weights = untrained(run), folder / "model.safetensors"
    row = {"trial": trial.name, **trial.facts, **describe(run, model)}
    row |= measured(bench, folder, model, weights, run)
    row["train_seconds"] = read_rows(folder / LOG, TrainingError)[-1]["seconds"]
    (folder / "checkpoint.pt").unlink(missing_ok=True)
    return keep(folder, row)


def describe(run: StudentRun, student: SpeechLM) -> dict[str, Any]:
    """What decides a trial, in words and numbers that fit a row."""
    layout = student.backbone.config.layout
    return {
        "layout": layout,
        "attention_layers": layout.count("A"),
        "recurrent_layers": len(layout) - layout.count("A"),
        "parameters": sum(weight.numel() for weight in student.parameters()),
        "start": run.start,
        "freeze": run.freeze,
        "steps": run.settings.steps,
        "places_per_batch": run.teacher.batch_places,
        "learning_rate": run.settings.learning_rate,
        "seed": run.settings.seed,
    }
