"""A speech language model on onnxruntime, with the calls and facts that a measurement uses."""

import weakref
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from mamtra.benchmark.decode.config import BITS, BenchConfig
from mamtra.benchmark.random_weights import random_folder
from mamtra.errors import require
from mamtra.runtime.cores import available_cores
from mamtra.runtime.onnx.open import graph_of
from mamtra.runtime.onnx.speech_model import OnnxSpeechModel
from mamtra.runtime.onnx.state import OnnxState
from mamtra.speech_lm import Segment, SpeechLMConfig
from mamtra.speech_lm.vocabulary import SpeechVocabulary

CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True, eq=False)
class OnnxTarget:
    """A graph's model, with the names that torch's has.

    Attributes:
        weight_bytes: of what the graph points at.
        matrix_bytes: of those weights that every step reads: all but the tables of embeddings.
    """

    wrapped: OnnxSpeechModel
    config: SpeechLMConfig
    weight_bytes: int
    matrix_bytes: int
    device: torch.device = CPU

    @property
    def vocabulary(self) -> SpeechVocabulary:
        """The speech ids."""
        return self.wrapped.vocabulary

    def new_state(self, batch: int, capacity_hint: int = 0) -> OnnxState:
        """An empty state for so many rows."""
        return self.wrapped.new_state(batch, capacity_hint)

    def read(
        self, rows: Sequence[Sequence[Segment]], state: OnnxState
    ) -> Float[np.ndarray, "rows ids"]:
        """Continue each row by segments."""
        return self.wrapped.read(rows, state)

    def step(self, ids: Any, state: OnnxState) -> Float[np.ndarray, "rows ids"]:
        """Continue each row by one speech id."""
        return self.wrapped.step(ids.tolist(), state)


def stored_bytes(graph: Any) -> tuple[int, int]:
    """Bytes of an ``onnx.ModelProto``'s weights: all, and without the tables of embeddings."""
    total = read = 0
    for tensor in graph.graph.initializer:
        length = sum(int(entry.value) for entry in tensor.external_data if entry.key == "length")
        total += length
        read += 0 if "embedding" in tensor.name else length
    return total, read


def open_onnx(config: BenchConfig, sizes: SpeechLMConfig) -> tuple[OnnxTarget, dict[str, Any]]:
    """A model with random weights on onnxruntime, from a folder as a user's, and how it runs.

    Raises:
        MissingExtraError: the package onnx is not installed.
        GenerationError: the folder could not be written.
    """
    onnx = require("onnx", "onnx")
    bits = BITS[config.dtype]
    threads = config.threads or min(2, available_cores())
    kept = ExitStack()
    path = graph_of(kept.enter_context(random_folder(config)), "speech_lm", bits)
    weights = stored_bytes(onnx.load(path, load_external_data=False))
    graph = OnnxSpeechModel(path, threads, streams=min(config.batches))
    weakref.finalize(graph, kept.close)  # its other form is opened from there when it is needed
    model = OnnxTarget(graph, sizes, *weights)
    return model, {"engine": "onnx", "dtype": config.dtype, "bits": bits, "threads": threads}
