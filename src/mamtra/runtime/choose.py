"""Which engine runs a model, with how many threads and bits, and why.

    onnx    onnxruntime on a CPU: what speaks by default; needs the model's graphs
    torch   PyTorch on a CPU or a GPU; needs the extra torch

``auto`` takes onnx on a CPU and torch on CUDA; for many streams of a large model on a CPU, the
language model's steps are compiled where they can be (``many_streams.py``). What cannot be had is
an error that says why, and where ``auto`` could not take the quicker engine, the reason is told.
"""

import importlib.util
from dataclasses import dataclass
from typing import Any, Literal

from mamtra.acoustic.decoder_config import DecoderConfig
from mamtra.checkpoints.format import ModelFolder
from mamtra.cores import available_cores, chosen_threads
from mamtra.errors import ConfigError, require
from mamtra.runtime.many_streams import open_compiled, steps_to_take
from mamtra.runtime.onnx.bfloat16 import missing_for_bfloat16
from mamtra.runtime.onnx.flow import CHUNK_GRAPH, CHUNKS_GRAPH
from mamtra.runtime.onnx.guided import VOICE_GRAPH
from mamtra.runtime.onnx.open import graph_of, reads_voices
from mamtra.runtime.onnx.open import open_model as open_graphs
from mamtra.runtime.onnx.open import open_voice_encoder as open_encoder_graphs
from mamtra.runtime.onnx.token_encoder import ENCODER_GRAPH
from mamtra.runtime.protocols import LoadedModel, VoiceEncoder
from mamtra.runtime.request import AUTO, TORCH_KINDS, EngineRequest, FlowOptions

BITS = {"float32": 32, "int8": 8, "int4": 4}  # of the speech_lm's graphs
SPEAKING = ("speech_lm", "decoder", "vocoder")
LISTENING = ("speech_tokenizer", "speaker")
LARGE_BYTES = 200_000_000  # of a speech_lm's weights; above, cores read them together


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What will run, and why.

    Attributes:
        bits: of the speech_lm's graph; 0 where none runs.
        compiled: whether the speech_lm's steps are compiled, while graphs do the rest.
        flow_dtype: what the flow's network computes in, and why; no reason without a flow.
    """

    engine: Literal["onnx", "torch"]
    why: str
    threads: int = 0
    why_threads: str = ""
    bits: int = 0
    compiled: bool = False
    flow_dtype: str = "float32"
    why_flow: str = ""


def has_torch() -> bool:
    """Whether PyTorch is installed."""
    return importlib.util.find_spec("torch") is not None


def is_large(folder: ModelFolder) -> bool:
    """Whether the speech_lm's weights are too many for a processor's caches."""
    files = folder.part_files("speech_lm")
    return sum(path.stat().st_size for path in files if path.exists()) >= LARGE_BYTES


def missing_graphs(folder: ModelFolder, parts: tuple[str, ...], bits: int = 32) -> list[str]:
    """Names of the graphs of these parts that are not there."""
    paths = [graph_of(folder, part, bits if part == "speech_lm" else 32) for part in parts]
    if "speech_lm" in parts and reads_voices(folder):
        paths.append(graph_of(folder, "speech_lm").with_name(VOICE_GRAPH))
    return [path.name for path in paths if not path.is_file()]


def bits_to_use(folder: ModelFolder, dtype: str) -> int:
    """The bits of the graph that a type means; ``auto`` means 8 where they were exported."""
    if dtype != AUTO:
        return BITS.get(dtype, 32)
    return 8 if graph_of(folder, "speech_lm", 8).is_file() else 32  # 4 bits cost words


def obstacle(folder: ModelFolder, request: EngineRequest, dtypes: Any) -> str | None:
    """Why onnxruntime cannot run what was asked for; None where it can."""
    if request.device != "cpu":
        return "graphs run on a CPU only"
    if request.engine in ("torch", *TORCH_KINDS):
        return "asked for"
    if dtypes is not None:
        return "types of parts were given, which are PyTorch's"
    if request.dtype not in (AUTO, *BITS):
        return f"dtype {request.dtype!r} is PyTorch's"
    bits = bits_to_use(folder, request.dtype)
    missing = missing_graphs(folder, SPEAKING, bits)
    if request.flow_context:
        beside = graph_of(folder, "decoder")
        needed = ENCODER_GRAPH, CHUNK_GRAPH, CHUNKS_GRAPH
        missing += [name for name in needed if not beside.with_name(name).is_file()]
    if missing:
        return (
            f"the model has no {', '.join(missing)}, which mamtra export {folder.folder} "
            f"--to onnx{f' --bits {bits}' if bits != 32 else ''} makes"
        )
    return None


def chosen_flow_dtype(folder: ModelFolder, asked: str) -> tuple[str, str]:
    """What the flow's network computes in, and why; no reason where there is no flow.

    Raises:
        ConfigError: bfloat16 was asked for, and cannot be.
    """
    if not folder.section("decoder", DecoderConfig).steps:
        return "float32", ""
    missing = missing_for_bfloat16()
    if asked == "bfloat16" and missing:
        raise ConfigError(f"the flow cannot run in bfloat16: {missing}")
    if asked != AUTO:
        return asked, "asked for"
    return ("float32", missing) if missing else ("bfloat16", "twice as fast on this processor")


def check_flow(folder: ModelFolder, request: EngineRequest) -> None:
    """Refuse what was asked of a flow where there is none.

    Raises:
        ConfigError: the model has no flow.
    """
    asked = {
        "flow_steps": request.flow_steps,
        "flow_dtype": request.flow_dtype == "bfloat16",
        "flow_context": request.flow_context,
    }
    if any(asked.values()) and not folder.section("decoder", DecoderConfig).steps:
        names = " and no ".join(name for name, value in asked.items() if value)
        raise ConfigError(
            f"the decoder of {folder.config.name!r} has no flow, so no {names}; leave it out"
        )


def choose(folder: ModelFolder, request: EngineRequest, dtypes: Any = None) -> Choice:
    """Decide what runs a model.

    Raises:
        ConfigError: what was asked for is not possible here, or not together.
        MissingExtraError: it needs torch, which is not installed.
    """
    check_flow(folder, request)  # first: no graph makes up for a flow that there is not
    reason = obstacle(folder, request, dtypes)
    if request.engine == "onnx" and reason:
        raise ConfigError(f"engine 'onnx' is not possible: {reason}")
    if reason is None:
        threads, why_threads = chosen_threads(request.threads, is_large(folder))
        flow_dtype, why_flow = chosen_flow_dtype(folder, request.flow_dtype)
        bits = bits_to_use(folder, request.dtype)
        compiled, why = False, "asked for"
        if request.engine == AUTO:
            may = bits == 8 and is_large(folder)
            compiled, why = steps_to_take(request.streams if may else 1)
        return Choice(
            engine="onnx",
            why=why,
            threads=threads,
            why_threads=why_threads,
            bits=0 if compiled else bits,
            compiled=compiled,
            flow_dtype=flow_dtype,
            why_flow=why_flow,
        )
    if request.dtype == "int4":
        why = reason if request.engine == AUTO else f"engine {request.engine!r} was asked for"
        raise ConfigError(f"dtype 'int4' is possible with graphs only: {why}")
    if not has_torch():
        require("torch", "torch")
    return Choice(engine="torch", why=reason)


def open_model(folder: ModelFolder, request: EngineRequest, dtypes: Any = None) -> LoadedModel:
    """Load what speaks, by the engine that suits.

    Args:
        folder: the model's folder.
        request: what was asked for.
        dtypes: types of the parts in memory, for torch.

    Raises:
        ModelError: a part is missing or damaged.
        ConfigError: what was asked for is not possible here, or not together.
        MissingExtraError: it needs torch, which is not installed.
    """
    choice = choose(folder, request, dtypes)
    steps = request.flow_steps
    if choice.engine == "onnx":
        return open_graphs(
            folder,
            choice.threads,
            choice.bits,
            available_cores(),
            FlowOptions(
                flow_steps=steps,
                flow_dtype=choice.flow_dtype,
                flow_context=request.flow_context,
            ),
            open_compiled(folder, choice.threads) if choice.compiled else None,
            request.streams,
        )
    # torch loads only where it runs
    from mamtra.runtime.torch.engine import EngineConfig
    from mamtra.runtime.torch.open import open_model as open_modules

    kind = request.engine if request.engine in TORCH_KINDS else AUTO
    config = EngineConfig(
        device=request.device, dtype=request.dtype, kind=kind, threads=request.threads
    )
    return open_modules(folder, config, dtypes, steps, request.flow_dtype, request.flow_context)


def open_voice_encoder(folder: ModelFolder) -> VoiceEncoder:
    """Load what makes voices: the model's graphs, or its modules where it has none.

    Raises:
        ModelError: a part is missing or damaged.
        MissingExtraError: there are no graphs, and torch is not installed.
    """
    if not missing_graphs(folder, LISTENING):
        return open_encoder_graphs(folder, chosen_threads(0, is_large(folder))[0])
    require("torch", "torch")
    from mamtra.runtime.torch.voice_encoder import open_voice_encoder as open_modules

    return open_modules(folder)
