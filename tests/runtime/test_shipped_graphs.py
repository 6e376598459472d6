"""The graphs that ship say what the modules say whose weights lie beside them."""

import numpy as np
import pytest

pytest.importorskip("onnx")
from mamtra.checkpoints.format import ModelFolder
from mamtra.checkpoints.locate import built_in
from mamtra.cli.model_findings import asked, comparison
from mamtra.runtime.request import EngineRequest


@pytest.mark.parametrize("name", sorted(built_in()))
def test_graphs_equal_modules(name: str) -> None:
    folder = ModelFolder(built_in()[name])
    graphs, modules = (
        asked(folder, EngineRequest(engine=engine, dtype="float32")) for engine in ("onnx", "torch")
    )
    assert set(graphs) == set(modules)
    for part, wanted in modules.items():
        # phases add up what pitch was rounded by, most of all where features are drawn at random
        off = np.sqrt(np.square(graphs[part] - wanted).mean() / np.square(wanted).mean())
        assert off < 0.01, (part, off)


def test_doctor_finds_no_fault_with_what_ships() -> None:
    findings = list(comparison(ModelFolder(built_in()["nano"])))
    assert len(findings) == 5
    assert [finding for finding in findings if not finding.good] == []
