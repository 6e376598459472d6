"""A graph run by OpenVINO in bfloat16, twice as fast as float32 on processors made for it.

onnxruntime computes in float32 on a CPU. Only a flow's steps are worth another runtime: they are
most of the time of a large decoder, and their rounding stays small, since each step begins at
float32 features again (docs/benchmarks.md has the error).
"""

import functools
import importlib.util
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mamtra.errors import ModelError, require
from mamtra.extras import install_command

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

    Raises:
        MissingExtraError: OpenVINO is not installed.
        ModelError: the graph is missing or damaged.
    """

    def __init__(self, path: Path, threads: int) -> None:
        openvino = require("openvino", "openvino")
        settings = {
            "INFERENCE_PRECISION_HINT": "bf16",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
        }
        try:
            model = openvino.compile_model(str(path), "CPU", settings)
        except Exception as broken:  # the runtime raises its own exceptions, which share no parent
            raise ModelError(
                f"cannot open {str(path)!r}; make it again with mamtra export "
                f"{str(path.parent)!r} --to onnx ({broken})"
            ) from broken
        self._model: Any = model
        self._local = threading.local()  # a request serves one thread at a time

    def run(self, names: Sequence[str], feed: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """The outputs of these names; they belong to the caller."""
        if not hasattr(self._local, "request"):
            self._local.request = self._model.create_infer_request()
        results = self._local.request.infer(dict(feed))
        return [np.array(results[name]) for name in names]
