"""How a session's threads wait."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="a graph is made to be opened")
from onnx import TensorProto, helper, save

from mamtra.runtime.onnx import session as session_module
from mamtra.runtime.onnx.session import open_session

WATCHED_SECONDS = 0.05  # of this thread; onnxruntime's threads spin for about half of it
TRIES = 5  # of each session, in turn; threads of other tests may still be at work


def write_product(path: Path) -> None:
    """A graph that multiplies two matrices."""
    given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", "n"]) for name in "ab"]
    made = helper.make_tensor_value_info("product", TensorProto.FLOAT, ["n", "n"])
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["a", "b"], ["product"])], "g", given, [made]
    )
    opset = [helper.make_opsetid("", 21)]
    save(helper.make_model(graph, opset_imports=opset, ir_version=10), path)


def seconds_of_other_threads(session: Any) -> float:
    """What a session's threads compute after its work, while this one does."""
    matrix = np.ones((512, 512), np.float32)
    session.run(None, {"a": matrix, "b": matrix})
    before, others = time.thread_time(), time.process_time() - time.thread_time()
    while time.thread_time() - before < WATCHED_SECONDS:
        pass
    return time.process_time() - time.thread_time() - others


def test_threads_leave_their_core_sooner_than_onnxruntimes_own_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "product.onnx"
    write_product(path)
    ours = open_session(path, 2)
    monkeypatch.setattr(session_module, "spinning", lambda threads: {})
    theirs = open_session(path, 2)
    found = [[seconds_of_other_threads(each) for each in (ours, theirs)] for _ in range(TRIES)]
    our_seconds, their_seconds = zip(*found, strict=True)
    # the least of each: other work on the cores only adds
    assert min(our_seconds) < 0.5 * min(their_seconds)
