"""How a session's threads wait."""

import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="a graph is made to be opened")
from onnx import TensorProto, helper, save

from mamtra.runtime.onnx.session import SPINNING_MICROSECONDS, open_session

WATCHED_SECONDS = 0.05  # of this thread
TRIES = 3  # threads of other tests may still be at work
MANY_TIMES = 5  # the time of spinning: a busy machine counts coarsely


def write_product(path: Path) -> None:
    """A graph that multiplies two matrices."""
    given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", "n"]) for name in "ab"]
    made = helper.make_tensor_value_info("product", TensorProto.FLOAT, ["n", "n"])
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["a", "b"], ["product"])], "g", given, [made]
    )
    opset = [helper.make_opsetid("", 21)]
    save(helper.make_model(graph, opset_imports=opset, ir_version=10), path)


def seconds_of_other_threads() -> float:
    """What they compute while this one does."""
    before, others = time.thread_time(), time.process_time() - time.thread_time()
    while time.thread_time() - before < WATCHED_SECONDS:
        pass
    return time.process_time() - time.thread_time() - others


def test_threads_leave_their_core_soon_after_their_work(tmp_path: Path) -> None:
    write_product(tmp_path / "product.onnx")
    session = open_session(tmp_path / "product.onnx", 2)
    matrix = np.ones((512, 512), np.float32)
    found = []
    for _ in range(TRIES):
        session.run(None, {"a": matrix, "b": matrix})
        found.append(seconds_of_other_threads())
    assert min(found) < MANY_TIMES * SPINNING_MICROSECONDS * 1e-6
