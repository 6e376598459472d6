"""Standard graphs in a second runtime: the evaluator that the ONNX project itself defines by."""

from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("onnx")
from onnx.reference import ReferenceEvaluator
from onnx_toys import STACKS, open_speech_lm, toy_speech_lm
from tiny_model import write_tiny_model

from mamtra.checkpoints.format import ModelFolder
from mamtra.interop.onnx.export import OnnxExport, export_onnx
from mamtra.runtime.onnx.session import open_session
from mamtra.speech_lm.prompt import cross_lingual, speech_segment

CAPACITY, PROMPT, ID = 16, [3, 1, 4, 1, 5], 7


@pytest.mark.parametrize("name", STACKS)
def test_the_evaluator_continues_a_prompt_as_the_modules_do(name: str, tmp_path: Path) -> None:
    module = toy_speech_lm(name)
    model = open_speech_lm(module, tmp_path, "standard")
    evaluator = ReferenceEvaluator(str(tmp_path / "speech_lm.onnx"))
    state = module.new_state(1)
    expected = [
        module.read([cross_lingual(PROMPT)], state),
        module.step(torch.tensor([ID]), state),
    ]

    empty = model.new_state(1, capacity_hint=CAPACITY)
    model.read([cross_lingual(PROMPT)], empty)  # only to have the tables of positions made
    feed = {name: np.zeros_like(array) for name, array in empty.arrays.items()}
    feed |= {
        name: table.numpy() for name, table in zip(("cosine", "sine"), model._tables, strict=False)
    }
    vocabulary = module.vocabulary
    ids = [row for segment in cross_lingual(PROMPT) for row in _rows(model, segment)]
    outputs = [output.name for output in evaluator.proto_.graph.output]
    for step, chosen in enumerate((ids, _rows(model, speech_segment([ID])))):
        start = 0 if step == 0 else len(ids)
        feed["ids"] = np.array([chosen], np.int64)
        feed["positions"] = np.arange(start, start + len(chosen), dtype=np.int64)[None]
        found = dict(zip(outputs, evaluator.run(outputs, feed), strict=True))
        np.testing.assert_allclose(found["logits"], expected[step].numpy(), atol=1e-5, rtol=1e-5)
        assert found["logits"].shape == (1, vocabulary.size)
        feed |= {name: found[f"next.{name}"] for name in empty.arrays}


def _rows(model, segment) -> list[int]:
    """The rows of the graph's one table that a segment reads."""
    return [model.first[segment.kind] + id_ for id_ in segment.ids]


@pytest.mark.parametrize("part", ["speech_tokenizer", "speaker"])
def test_the_evaluator_hears_as_onnxruntime_does(part: str, tmp_path: Path) -> None:
    folder = ModelFolder(write_tiny_model(tmp_path / "tiny"))
    export_onnx(folder, OnnxExport(standard=True))
    file = folder.folder / f"{part}.onnx"
    mel = np.random.default_rng(0).normal(-5, 2, (80, 41)).astype(np.float32)
    expected = open_session(file, 1).run(None, {"mel": mel})[0]
    [found] = ReferenceEvaluator(str(file)).run(None, {"mel": mel})
    np.testing.assert_allclose(found, expected, atol=1e-4)
