"""A speech language model on onnxruntime, with the calls and facts that a measurement uses."""

import weakref
from contextlib import ExitStack
from typing import Any

import torch

from mamtra.benchmark.decode.config import BITS, BenchConfig
from mamtra.benchmark.decode.engine_model import EngineModel
from mamtra.benchmark.random_weights import random_folder
from mamtra.cores import available_cores
from mamtra.errors import require
from mamtra.runtime.onnx.guided import VOICE_GRAPH
from mamtra.runtime.onnx.open import graph_of, open_speech_model
from mamtra.speech_lm import SpeechLMConfig

CPU = torch.device("cpu")
LOOKED_UP = ("embedding", "positions")  # in names of tables, of which a step reads a few rows


def stored_bytes(graph: Any, voice: Any = None) -> tuple[int, int]:
    """Bytes of an ``onnx.ModelProto``'s weights: all, and those that every step reads.

    Args:
        graph: of the language model; a step reads all of it but the tables.
        voice: the graph that reads a voice, whose own weights count once.
    """
    total = read = 0
    for tensor in graph.graph.initializer:
        total += (length := bytes_of(tensor))
        read += 0 if any(part in tensor.name for part in LOOKED_UP) else length
    if voice is not None:
        shared = {tensor.name for tensor in graph.graph.initializer}
        total += sum(bytes_of(own) for own in voice.graph.initializer if own.name not in shared)
    return total, read


def bytes_of(tensor: Any) -> int:
    """Bytes of an ``onnx.TensorProto`` that lie in a file of weights."""
    return sum(int(entry.value) for entry in tensor.external_data if entry.key == "length")


def open_onnx(
    config: BenchConfig, sizes: SpeechLMConfig
) -> tuple[EngineModel, tuple[int, int], dict[str, Any]]:
    """A model with random weights on onnxruntime, from a folder as a user's.

    Returns:
        The model, the bytes of its weights as ``stored_bytes`` counts them, and how it runs.

    Raises:
        MissingExtraError: the package onnx is not installed.
        GenerationError: the folder could not be written.
    """
    onnx = require("onnx", "onnx")
    bits = BITS[config.dtype]
    threads = config.threads or min(2, available_cores())
    kept = ExitStack()
    folder = kept.enter_context(random_folder(config))
    path = graph_of(folder, "speech_lm", bits)
    graphs = [path] if sizes.conditioning is None else [path, path.with_name(VOICE_GRAPH)]
    weights = stored_bytes(*(onnx.load(each, load_external_data=False) for each in graphs))
    opened = open_speech_model(folder, threads, bits, min(config.batches))
    weakref.finalize(opened, kept.close)  # its other form is opened from there when it is needed
    told = {"engine": "onnx", "dtype": config.dtype, "bits": bits, "threads": threads}
    return EngineModel(opened, sizes, CPU), weights, told
