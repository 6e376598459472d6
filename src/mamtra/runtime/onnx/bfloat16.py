"""A graph run by OpenVINO in bfloat16, twice as fast as float32 on processors made for it.

onnxruntime computes in float32 on a CPU. Only a flow's steps are worth another runtime: they are
most of the time of a large decoder, and their rounding stays small, since each step begins at
float32 features again (docs/benchmarks.md has the error).

Keys and values that a graph takes and gives stay in bfloat16: numpy has no such type, so they lie
in arrays of uint16.
"""

import functools
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mamtra.errors import ModelError, require
from mamtra.extras import install_command
from mamtra.runtime.onnx.flow_memory import CACHES, GraphInput, new_name

INSTRUCTIONS = ("avx512_bf16", "amx_bf16")  # as /proc/cpuinfo writes them
CPU_FILE = Path("/proc/cpuinfo")


@functools.cache
def has_instructions() -> bool:
    """Whether this processor multiplies in bfloat16; only Linux says so."""
    try:
        return any(name in CPU_FILE.read_text() for name in INSTRUCTIONS)
    except OSError:
        return False


def missing_for_bfloat16() -> str | None:
    """Why a graph cannot run in bfloat16 faster than in float32; None where it can."""
    if importlib.util.find_spec("openvino") is None:
        return f"openvino is not installed ({install_command('openvino')})"
    return None if has_instructions() else "this processor has no instructions for bfloat16"


class Bfloat16Session:
    """One graph, with the calls that a session of onnxruntime has.

    Args:
        path: of the graph.
        threads: that compute.
        runs: that share the threads at a time.

    Raises:
        MissingExtraError: OpenVINO is not installed.
        ModelError: the graph is missing or damaged.
    """

    def __init__(self, path: Path, threads: int, runs: int = 1) -> None:
        self._openvino: Any = require("openvino", "openvino")
        settings = {
            "INFERENCE_PRECISION_HINT": "bf16",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": runs,
        }
        try:
            graph = self._with_halves(self._openvino.Core().read_model(str(path)))
            self._model: Any = self._openvino.compile_model(graph, "CPU", settings)
        except Exception as broken:  # the runtime raises its own exceptions, which share no parent
            raise ModelError(
                f"cannot open {str(path)!r}; make it again with mamtra export "
                f"{str(path.parent)!r} --to onnx ({broken})"
            ) from broken
        outputs = enumerate(self._model.outputs)
        self._places = {name: place for place, entry in outputs for name in entry.names}
        self._requests: list[Any] = []  # those that nobody uses; a request serves one run at a time

    def _with_halves(self, graph: Any) -> Any:
        """The graph with keys and values in bfloat16."""
        require("openvino.preprocess", "openvino")
        steps = self._openvino.preprocess.PrePostProcessor(graph)
        for entry in graph.inputs:
            if entry.any_name == CACHES:
                half = self._openvino.Type.bf16
                steps.input(entry.any_name).tensor().set_element_type(half)
                steps.output(new_name(entry.any_name)).tensor().set_element_type(half)
        return steps.build()

    def get_inputs(self) -> list[GraphInput]:
        """Names, sizes and types of the inputs."""
        found = []
        for entry in self._model.inputs:
            sizes = [-1 if size.is_dynamic else size.get_length() for size in entry.partial_shape]
            half = entry.element_type == self._openvino.Type.bf16
            found.append(GraphInput(entry.any_name, sizes, np.uint16 if half else np.float32))
        return found

    def run(self, names: Sequence[str], feed: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """The outputs of these names; they belong to the caller."""
        try:
            request = self._requests.pop()
        except IndexError:
            request = self._model.create_infer_request()
        half, tensor = self._openvino.Type.bf16, self._openvino.Tensor
        given = {
            name: tensor(array, array.shape, half) if array.dtype == np.uint16 else array
            for name, array in feed.items()
        }
        request.infer(given, share_inputs=True, share_outputs=True)
        found = (request.get_output_tensor(self._places[name]) for name in names)
        outputs = [
            np.array(made.data.view(np.uint16) if made.element_type == half else made.data)
            for made in found
        ]
        self._requests.append(request)
        return outputs
