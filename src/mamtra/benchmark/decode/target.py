"""What is measured: a speech LM with random weights on an engine, or the baseline."""

from dataclasses import dataclass
from typing import Any

import torch

from mamtra.benchmark.decode.baseline import new_baseline, transformers
from mamtra.benchmark.decode.config import BASELINE, ONNX, OWN, BenchConfig
from mamtra.benchmark.decode.engine_model import EngineModel
from mamtra.benchmark.random_weights import random_folder, with_random_weights
from mamtra.runtime.torch.engine import (
    EngineConfig,
    open_speech_lm,
    possible_kind,
    prepare,
    resolve,
)
from mamtra.runtime.torch.guided import GuidedSpeechModel
from mamtra.sizing.inference_bytes import held_bytes, read_bytes, read_numbers, state_bytes
from mamtra.sizing.sizes import ModelSizes, model_sizes, shaped
from mamtra.speech_lm import SpeechLM


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Target:
    """A language model that is ready to speak.

    Attributes:
        model: has the calls of a speech LM.
        weight_bytes: of its weights as they are held.
        read_bytes: of those that each step reads.
        engine: how it runs, in words and numbers.
    """

    sizes: ModelSizes
    model: Any
    weight_bytes: int
    read_bytes: int
    engine: dict[str, Any]


def sizes_of(config: BenchConfig) -> ModelSizes:
    """The model's sizes in the target's shape.

    Raises:
        ConfigError: the shape is unknown, or does not fit.
        ModelError: there is no such model.
    """
    sizes = model_sizes(config.model)
    if config.target == OWN:
        return sizes
    return shaped(sizes, "1:0" if config.target == BASELINE else config.target)


def make_ready(config: BenchConfig) -> None:
    """Load the packages that a target needs, so that they don't count as its weights.

    Raises:
        MissingExtraError: the baseline needs transformers.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    if config.target == BASELINE:
        transformers()
    elif config.engine == ONNX:
        import mamtra.benchmark.decode.graphs  # noqa: F401


def prepared(config: BenchConfig, sizes: ModelSizes) -> tuple[SpeechLM, dict[str, Any]]:
    """Our model on the engine that was asked for, and how that engine runs.

    Where memory is watched, the model comes from a folder, as a user's does.

    Raises:
        ConfigError: this machine cannot run it.
    """
    requested = EngineConfig(
        device=config.device, dtype=config.dtype, kind=config.engine, threads=config.threads
    )
    possible = possible_kind(sizes.speech_lm, requested)
    engine = resolve(possible, read_numbers(sizes.speech_lm))
    description = {"engine": engine.kind, "dtype": engine.dtype, "reasons": engine.reasons}
    if config.spoken:
        with random_folder(config) as folder:
            # what it maps of a file stays readable when the file is gone
            return open_speech_lm(folder, requested), description
    first = torch.float32 if engine.dtype == "float32" else torch.bfloat16
    model = with_random_weights(lambda: SpeechLM(sizes.speech_lm), first, seed=config.seed)
    return prepare(model, requested), description


def build(config: BenchConfig) -> Target:
    """Make what is measured.

    Raises:
        MissingExtraError: the baseline needs transformers.
        ConfigError: the target cannot be.
    """
    sizes = sizes_of(config)
    if config.engine == ONNX and config.target != BASELINE:
        from mamtra.benchmark.decode.graphs import open_onnx

        graph, (held, read), told = open_onnx(config, sizes.speech_lm)
        return Target(sizes=sizes, model=graph, weight_bytes=held, read_bytes=read, engine=told)
    if config.target == BASELINE:
        model: Any = new_baseline(sizes.speech_lm, config.device, config.seed)
        engine: dict[str, Any] = {"engine": "transformers", "dtype": "float32"}
    else:
        model, engine = prepared(config, sizes)
    engine |= {"device": config.device, "threads": torch.get_num_threads()}
    weight_bytes = held_bytes(model)
    if sizes.speech_lm.conditioning is not None:
        model = EngineModel(GuidedSpeechModel(model), sizes.speech_lm, model.device)
    return Target(
        sizes=sizes,
        model=model,
        weight_bytes=weight_bytes,
        read_bytes=read_bytes(sizes.speech_lm, str(engine["dtype"])),
        engine=engine,
    )


def expected_state_bytes(target: Target, context: int, batch: int) -> int:
    """What a memory of so many streams will take."""
    engine, rows = str(target.engine["engine"]), batch * target.sizes.rows
    return state_bytes(target.sizes.backbone, context, rows, kept_in(target), engine).total


def kept_in(target: Target) -> str:
    """The number type of its weights, which tells that of its states; graphs keep float32."""
    return "float32" if target.engine["engine"] == ONNX else str(target.engine["dtype"])


def bytes_per_step(target: Target, context: int, batch: int) -> int:
    """What a step reads at least: weights once, states once for each row of each stream.

    The baseline's text head, which it computes at every step, is not needed and not counted.
    """
    rows = batch * target.sizes.rows
    states = state_bytes(target.sizes.backbone, context, rows, kept_in(target)).total
    return target.read_bytes + states
