"""The graphs that ship say what the modules say whose weights lie beside them."""

import numpy as np
import pytest

pytest.importorskip("onnx")
from mamtra.checkpoints.format import ModelFolder
from mamtra.checkpoints.locate import built_in
from mamtra.cli.model_findings import asked
from mamtra.runtime.request import EngineRequest


@pytest.mark.parametrize("name", sorted(built_in()))
def test_graphs_equal_modules(name: str) -> None:
    folder = ModelFolder(built_in()[name])
    graphs, modules = (
        asked(folder, EngineRequest(engine=engine, dtype="float32")) for engine in ("onnx", "torch")
    )
    assert set(graphs) == set(modules)
    for part, wanted in modules.items():
        bound = 1e-3 * max(1.0, float(np.abs(wanted).max()))
        assert np.abs(graphs[part] - wanted).max() < bound, part
