"""A graph run by OpenVINO in bfloat16, twice as fast as float32 on processors made for it.

onnxruntime computes in float32 on a CPU. Only a flow's steps are worth another runtime: they are
most of the time of a large decoder, and their rounding stays small, since each step begins at
float32 features again, and times and places turn to waves in float32 (docs/benchmarks.md has the
error).

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

WAVES = ("Sin", "Cos")  # nodes that need float32
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


def sizes_of(entry: Any) -> list[int]:
    """The shape of an input; -1 for a size that may change."""
    return [-1 if size.is_dynamic else size.get_length() for size in entry.partial_shape]


def dtype_of(name: str) -> Any:
    """The type in which numpy holds an input."""
    return np.uint16 if name == CACHES else np.float32


def leading_to(node: Any) -> set[str]:
    """Names of the nodes of an OpenVINO graph from which a node is computed."""
    found, waiting = set[str](), [node]
    while waiting:
        values = waiting.pop().input_values()
        fresh = [value.get_node() for value in values]
        waiting += [one for one in fresh if one.get_friendly_name() not in found]
        found |= {one.get_friendly_name() for one in fresh}
    return found


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
            graph = self._openvino.Core().read_model(str(path))
            self._inputs = [
                GraphInput(entry.any_name, sizes_of(entry), dtype_of(entry.any_name))
                for entry in graph.inputs
            ]
            self._cut_waves(graph)
            self._model: Any = self._openvino.compile_model(
                self._with_halves(graph), "CPU", settings
            )
        except Exception as broken:  # the runtime raises its own exceptions, which share no parent
            raise ModelError(
                f"cannot open {str(path)!r}; make it again with mamtra export "
                f"{str(path.parent)!r} --to onnx ({broken})"
            ) from broken
        self._taken = {entry.any_name for entry in self._model.inputs}
        outputs = enumerate(self._model.outputs)
        self._places = {name: place for place, entry in outputs for name in entry.names}
        # pairs that nobody uses, of the whole and of its waves; a request serves one run at a time
        self._requests: list[tuple[Any, Any]] = []

    def _cut_waves(self, graph: Any) -> None:
        """Let a graph of its own compute sines and cosines of times and places, in float32.

        In bfloat16 an angle of 1,000 would be off by a turn. The results become inputs.
        """
        waves = [node for node in graph.get_ordered_ops() if node.get_type_name() in WAVES]
        before = set[str]().union(*(leading_to(node) for node in waves))
        taken = [entry for entry in graph.get_parameters() if entry.get_friendly_name() in before]
        part = self._openvino.Model([node.output(0) for node in waves], taken).clone()
        exact = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
        self._exact: Any = self._openvino.compile_model(part, "CPU", exact)
        for place, node in enumerate(waves):
            made = node.output(0)
            entry = self._openvino.op.Parameter(made.get_element_type(), made.get_partial_shape())
            for target in made.get_target_inputs():
                target.replace_source_output(entry.output(0))
            graph.add_parameters([entry])
            entry.output(0).get_tensor().set_names({f"waves.{place}"})
        for entry in taken:
            if not entry.output(0).get_target_inputs():
                graph.remove_parameter(entry)

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
        return self._inputs

    def run(self, names: Sequence[str], feed: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """The outputs of these names; they belong to the caller."""
        try:
            request, exact = self._requests.pop()
        except IndexError:
            request, exact = (each.create_infer_request() for each in (self._model, self._exact))
        half, tensor = self._openvino.Type.bf16, self._openvino.Tensor
        given = {
            name: tensor(array, array.shape, half) if array.dtype == np.uint16 else array
            for name, array in feed.items()
            if name in self._taken
        }
        waves = exact.infer({entry.any_name: feed[entry.any_name] for entry in self._exact.inputs})
        given |= {f"waves.{place}": wave for place, wave in enumerate(waves.values())}
        request.infer(given, share_inputs=True, share_outputs=True)
        found = (request.get_output_tensor(self._places[name]) for name in names)
        outputs = [
            np.array(made.data.view(np.uint16) if made.element_type == half else made.data)
            for made in found
        ]
        self._requests.append((request, exact))
        return outputs
