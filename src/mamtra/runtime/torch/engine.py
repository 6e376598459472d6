"""How a speech language model is run: on which device, in which type, with how many threads.

``prepare`` makes a loaded model ready to speak fast, ``open_speech_lm`` loads one from disk in that
form without ever holding its floats as well. The result is still a ``SpeechLM``: ``read``, ``step``
and ``new_state`` are used as before.

    float32     one core of a CPU; exact, the default for small models
    bfloat16    the default on CUDA
    int8        a CPU; the default for large models, which are bound by the bytes of their weights

    eager       operations one by one, into buffers that were made once
    graph       a CUDA graph, recorded once and replayed: of the fused kernels where they know the
                model, else of the same operations

Nothing falls back in silence: what cannot be had is an error that says why.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import nn

from mamtra.checkpoints.format import ModelFolder
from mamtra.checkpoints.modules import check_part
from mamtra.checkpoints.shards import opened
from mamtra.checkpoints.skip_init import skip_init
from mamtra.cores import chosen_threads
from mamtra.errors import ConfigError
from mamtra.runtime.request import check_device_name
from mamtra.runtime.torch.cpu_features import missing_for_compiled
from mamtra.runtime.torch.cuda_graph import GraphStepper
from mamtra.runtime.torch.eager import Stepper
from mamtra.runtime.torch.fuse import (
    WEIGHT_TYPES,
    WeightType,
    activation_type,
    one_layer,
    ready_block,
)
from mamtra.runtime.torch.malloc import given_back
from mamtra.speech_lm import SpeechLM, SpeechLMConfig

EngineKind = Literal["eager", "graph"]
KINDS: tuple[str, ...] = get_args(EngineKind)
AUTO = "auto"
LARGE = 100_000_000  # parameters read for a token; above, a CPU is bound by their bytes
THREADS_POSSIBLE = 256  # that can be asked for; OpenMP crashes for want of memory far above


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """What was asked for; ``auto`` and 0 are decided by device and size of the model.

    Attributes:
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        dtype: of the weights: ``float32``, ``bfloat16``, ``int8`` or ``auto``.
        kind: ``eager``, ``graph`` or ``auto``.
        threads: of a CPU.
    """

    device: str = "cpu"
    dtype: str = AUTO
    kind: str = AUTO
    threads: int = 0

    def __post_init__(self) -> None:
        check_device_name(self.device)
        for name, value, known in (
            ("dtype", self.dtype, WEIGHT_TYPES),
            ("engine", self.kind, KINDS),
        ):
            if value not in (AUTO, *known):
                raise ConfigError(
                    f"{name} {value!r} is unknown; possible are {AUTO}, {', '.join(known)}"
                )
        if not 0 <= self.threads <= THREADS_POSSIBLE:
            raise ConfigError(
                f"threads={self.threads} is not between 0, which decides by itself, "
                f"and {THREADS_POSSIBLE}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What will run, every choice made, and the reason for each."""

    device: str
    dtype: WeightType
    kind: EngineKind
    threads: int
    reasons: dict[str, str]


def chosen_dtype(config: EngineConfig, parameters: int) -> tuple[str, str]:
    """The type of the weights, and why."""
    if config.dtype != AUTO:
        return config.dtype, "asked for"
    if config.device != "cpu":
        return "bfloat16", "half the bytes of float32, and GPUs multiply it fastest"
    if parameters < LARGE:
        return "float32", "a small model fits the caches; fewer bits would save nothing"
    if (reason := missing_for_compiled()) is not None:
        if torch.backends.cpu.get_cpu_capability() == "AVX2":  # five times float32's time to read
            return "float32", f"{reason}, and none for bfloat16"
        return "bfloat16", f"int8 would be faster, but {reason}"
    return "int8", "a large model on a CPU is as fast as its bytes are few"


def check_device(device: str | torch.device) -> None:
    """Refuse a device that is not here.

    Raises:
        ConfigError: there is no GPU, or none of this number.
    """
    wanted = torch.device(device)
    if wanted.type != "cuda":
        return
    if not torch.cuda.is_available():
        raise ConfigError(
            f"device {str(device)!r} is not possible: torch finds no CUDA GPU here; use cpu, or "
            f"install a CUDA build of torch"
        )
    if wanted.index is not None and wanted.index >= (found := torch.cuda.device_count()):
        raise ConfigError(
            f"device {str(device)!r} is not possible: the last of {found} GPUs here is "
            f"cuda:{found - 1}"
        )


def resolve(config: EngineConfig, parameters: int) -> Engine:
    """Make every choice.

    Args:
        config: what was asked for.
        parameters: of the model, embeddings left out: those read for each token.

    Raises:
        ConfigError: what was asked for is not possible here, or not together.
    """
    cuda = config.device != "cpu"
    check_device(config.device)
    dtype, why_dtype = chosen_dtype(config, parameters)
    if cuda and dtype == "int8":
        raise ConfigError("dtype 'int8' runs on a CPU only; on cuda use bfloat16 or float32")
    if dtype == "int8" and (reason := missing_for_compiled()) is not None:
        raise ConfigError(f"dtype 'int8' is not possible: {reason}; use float32 or bfloat16")
    if config.kind == "graph" and not cuda:
        raise ConfigError("engine 'graph' needs device cuda; on a CPU use eager")
    kind: EngineKind = "graph" if cuda and config.kind != "eager" else "eager"
    why_kind = "asked for" if config.kind != AUTO else "CUDA graphs need a GPU"
    if cuda and config.kind == AUTO:
        why_kind = "a step replayed as one graph waits for nothing"
    threads, why_threads = chosen_threads(config.threads, parameters >= LARGE)
    reasons = {"dtype": why_dtype, "kind": why_kind, "threads": why_threads}
    return Engine(
        device=config.device,
        dtype=dtype,  # pyright: ignore[reportArgumentType]
        kind=kind,
        threads=threads,
        reasons=reasons,
    )


def parameters_of(model: SpeechLM) -> int:
    """Numbers that are read for each token: backbone and head."""
    parts = (model.backbone, model.head)
    return sum(weight.numel() for part in parts for weight in part.parameters())


def possible_kind(model: SpeechLMConfig, requested: EngineConfig) -> EngineConfig:
    """What was asked for, where recorded steps can be had.

    Raises:
        ConfigError: they were asked for, and the model has learned positions.
    """
    if model.conditioning is None:
        return requested
    if requested.kind == "graph":
        raise ConfigError("engine 'graph' knows no learned positions; use eager for this model")
    return replace(requested, kind="eager")


def finish(model: SpeechLM, engine: Engine) -> SpeechLM:
    """The last steps of getting ready, for everything outside the blocks."""
    exact = activation_type(engine.dtype)
    model.backbone.norm.to(exact)
    model.special_embedding.to(exact)
    if model.conditioning is not None:
        model.conditioning.to(exact)
    model.head = one_layer([model.head], engine.dtype)
    model = model.eval().requires_grad_(False).to(engine.device)
    model.stepper = GraphStepper(model) if engine.kind == "graph" else Stepper(model)
    torch.set_num_threads(engine.threads)
    return model


def prepare(model: SpeechLM, config: EngineConfig | None = None) -> SpeechLM:
    """Make a model ready to speak as ``config`` says.

    The model is changed in place and handed back: it can speak, but no longer be trained or saved.

    Raises:
        ConfigError: what was asked for is not possible here.
    """
    engine = resolve(possible_kind(model.config, config or EngineConfig()), parameters_of(model))
    for block in model.backbone.blocks:
        ready_block(block, engine.dtype)
    if engine.dtype != "float32":
        for table in (model.text_embedding, model.speech_embedding):
            table.to(torch.bfloat16)
    return finish(model, engine)


def take(module: nn.Module, path: Path, prefix: str, keep: bool = True) -> None:
    """Fill a module that has no memory yet with its part of a file, in the type it has there.

    Args:
        module: whose weights hold nothing yet.
        path: of the file, or of what would be one without shards.
        prefix: of the module's names in the file.
        keep: read the weights; else they stay in the file, and memory only maps them.
    """
    with opened(path) as given:
        found = {name: given.tensor(prefix + name) for name in module.state_dict()}
        if keep:
            found = {name: tensor.clone() for name, tensor in found.items()}
    module.load_state_dict(found, assign=True)


def open_speech_lm(folder: ModelFolder, config: EngineConfig | None = None) -> SpeechLM:
    """Load the speech language model of a folder, ready to speak.

    It goes block by block, so that never more is in memory than what will speak and the floats of
    one block. Embedding tables keep the type they have on disk; that of the text, the largest
    tensor of all, stays in its file, of which only the rows that are looked up are read.

    Raises:
        ModelError: the weights are missing, damaged or do not fit.
        ConfigError: what was asked for is not possible here.
    """
    with skip_init():
        model = SpeechLM(folder.section("speech_lm", SpeechLMConfig)).requires_grad_(False)
    engine = resolve(possible_kind(model.config, config or EngineConfig()), parameters_of(model))
    path = folder.part_file("speech_lm")
    with opened(path) as given:
        check_part(given, model.state_dict(), path)
    with given_back():
        for index, block in enumerate(model.backbone.blocks):
            take(block, path, f"backbone.layers.{index}.")
            ready_block(block, engine.dtype)
    for name in ("backbone.norm", "head", "special_embedding", "speech_embedding"):
        take(model.get_submodule(name), path, f"{name}.")
    if model.conditioning is not None:
        take(model.conditioning, path, "conditioning.")
    take(model.text_embedding, path, "text_embedding.", keep=False)
    return finish(model, engine)
