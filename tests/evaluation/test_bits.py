"""The forms of a model in few bits, and how far their ids are from the exact form's."""

from pathlib import Path

import pytest

from mamtra.checkpoints.format import ModelFolder
from mamtra.evaluation.bits import FORMS, FewBits, compare, export_forms

pytest.importorskip("onnx", reason="exporting graphs needs the package onnx")


@pytest.fixture(scope="module")
def forms(tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[FewBits]:
    folder = tmp_path_factory.mktemp("bits") / "forms"
    made = export_forms(ModelFolder(tiny_model_folder), folder)
    return [FewBits(made, bits, None, 0) for bits in FORMS]


def test_the_exact_form_agrees_with_itself_and_fewer_bits_less(forms: list[FewBits]) -> None:
    figures = compare(forms, ["Hello there.", "Good morning."])
    exact, eight, four = figures["32 bit"], figures["8 bit"], figures["4 bit"]
    assert (exact["divergence"], exact["same_best"], exact["same_ids"]) == (0, 1, 1)
    assert exact["ids"] == eight["ids"] > 0
    assert 0 < eight["divergence"] < four["divergence"]


def test_what_was_judged_is_kept_for_each_number_of_bits(forms: list[FewBits]) -> None:
    assert len({form.fingerprint for form in forms}) == len(FORMS)
