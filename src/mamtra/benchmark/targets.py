"""What is measured: a speech LM with random weights on an engine, or the yardstick."""

from dataclasses import dataclass
from typing import Any

import torch

from mamtra.benchmark.baseline import new_yardstick, transformers
from mamtra.benchmark.bench_config import OWN, YARDSTICK, Case
from mamtra.benchmark.random_folder import random_folder
from mamtra.benchmark.random_weights import with_random_weights
from mamtra.runtime.torch.engine import EngineConfig, open_speech_lm, prepare, resolve
from mamtra.sizing.inference_bytes import held_bytes, read_bytes, read_numbers, state_bytes
from mamtra.sizing.sizes import ModelSizes, model_sizes, shaped
from mamtra.speech_lm import SpeechLM


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subject:
    """A language model that is ready to speak.

    Attributes:
        model: has the calls of a speech LM.
        weight_bytes: of its weights as they are held.
        engine: how it runs, in words and numbers.
    """

    sizes: ModelSizes
    model: Any
    weight_bytes: int
    engine: dict[str, Any]


def sizes_of(case: Case) -> ModelSizes:
    """The model's sizes in the case's shape.

    Raises:
        ConfigError: the shape is unknown, or does not fit.
        ModelError: there is no such model.
    """
    sizes = model_sizes(case.model)
    if case.subject == OWN:
        return sizes
    return shaped(sizes, "1:0" if case.subject == YARDSTICK else case.subject)


def make_ready(case: Case) -> None:
    """Load the packages that a case needs, so that they don't count as its weights.

    Raises:
        MissingExtraError: the yardstick needs transformers.
    """
    if case.threads:
        torch.set_num_threads(case.threads)
    if case.subject == YARDSTICK:
        transformers()


def prepared(case: Case, sizes: ModelSizes) -> tuple[SpeechLM, dict[str, Any]]:
    """Our model on the engine that the case asks for, and how that engine runs.

    Where memory is watched, the model comes from a folder, as a user's does.

    Raises:
        ConfigError: this machine cannot run it.
    """
    wanted = EngineConfig(
        device=case.device, dtype=case.dtype, kind=case.engine, threads=case.threads
    )
    engine = resolve(wanted, read_numbers(sizes.speech_lm, sizes.backbone))
    told = {"engine": engine.kind, "dtype": engine.dtype, "reasons": engine.reasons}
    if case.spoken:
        with random_folder(case) as folder:
            # what it maps of a file stays readable when the file is gone
            return open_speech_lm(folder, wanted), told
    first = torch.float32 if engine.dtype == "float32" else torch.bfloat16
    model = with_random_weights(lambda: SpeechLM(sizes.speech_lm), first, seed=case.seed)
    return prepare(model, wanted), told


def build(case: Case) -> Subject:
    """Make what a case measures.

    Raises:
        MissingExtraError: the yardstick needs transformers.
        ConfigError: the case cannot be.
    """
    sizes = sizes_of(case)
    if case.subject == YARDSTICK:
        model: Any = new_yardstick(sizes.speech_lm, case.device, case.seed)
        engine: dict[str, Any] = {"engine": "transformers", "dtype": "float32"}
    else:
        model, engine = prepared(case, sizes)
    engine |= {"device": case.device, "threads": torch.get_num_threads()}
    return Subject(sizes=sizes, model=model, weight_bytes=held_bytes(model), engine=engine)


def expected_state_bytes(subject: Subject, context: int, batch: int) -> int:
    """What a memory will take."""
    kept, engine = str(subject.engine["dtype"]), str(subject.engine["engine"])
    return state_bytes(subject.sizes.backbone, context, batch, kept, engine).total


def bytes_per_step(subject: Subject, context: int, batch: int) -> int:
    """What a step reads at least: weights once, states once for each row.

    The yardstick's text head, which it computes at every step, is not needed and not counted.
    """
    config, dtype = subject.sizes.speech_lm, str(subject.engine["dtype"])
    weights = read_bytes(config, subject.sizes.backbone, dtype)
    return weights + state_bytes(subject.sizes.backbone, context, batch, dtype).total
