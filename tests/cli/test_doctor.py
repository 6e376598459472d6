"""mamtra doctor and mamtra voices: what they find, told to people and to programs."""

import json
import shutil
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exit_code import ended

import mamtra
from mamtra.backbone.mixers import fused_scan
from mamtra.checkpoints import locate
from mamtra.checkpoints.checksums import write_checksums
from mamtra.checkpoints.format import ModelFolder
from mamtra.cli import findings, torch_findings
from mamtra.cli.model_findings import answers
from mamtra.errors import MissingExtraError, ModelError
from mamtra.runtime.choose import open_model
from mamtra.runtime.request import EngineRequest
from mamtra.runtime.torch.engine import LARGE, EngineConfig, resolve


@pytest.fixture
def ships_tiny(tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that the tiny model is the only one that ships."""
    monkeypatch.setattr(locate, "BUILT_IN", ("tiny",))
    monkeypatch.setattr(locate, "SHIPPED", tiny_model_folder.parent)
    monkeypatch.setattr(findings, "BUILT_IN", ("tiny",))


@pytest.mark.usefixtures("ships_tiny")
def test_doctor_tells_what_is_used_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(["doctor"]) == 0
    out = capsys.readouterr().out
    for about in ("python", "onnxruntime", "torch", "cores", "scan on cpu", "model tiny"):
        assert f"ok  {about} " in out
    assert "chunked" in out
    assert "ok  tiny runs by          torch\n" in out
    assert "the model has no speech_lm.onnx" in out
    assert "ok  torch, small models   run in float32 on 1 thread\n" in out
    large = resolve(EngineConfig(), LARGE)
    assert f"ok  torch, large models   run in {large.dtype}" in out
    assert "MB, voices high, low" in out


def test_a_model_whose_speech_is_checked_is_marked() -> None:
    told = {one.about: one.found for one in findings.models()}
    assert ", proofread, voices fenrir" in told["model nano"]


def test_a_card_reads_in_chunks_and_what_its_training_lacks_is_optional(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(module: str, extra: str) -> None:
        raise MissingExtraError(f"run: pip install 'mamtra[{extra}]'")

    monkeypatch.setattr(torch_findings.torch.cuda, "is_available", lambda: True)
    for require, found, optional in ((missing, "missing", True), (lambda *_: None, "fused", False)):
        monkeypatch.setattr(fused_scan, "require", require)
        told = {line["about"]: line for line in torch_findings.scans()}
        assert list(told) == ["scan on cpu", "scan on cuda", "scan on cuda, training"]
        assert told["scan on cuda"]["found"] == "chunked"
        training = told["scan on cuda, training"]
        assert (training["found"], training["optional"]) == (found, optional)


@pytest.mark.usefixtures("ships_tiny")
def test_doctor_speaks_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(["doctor", "--json"]) == 0
    found = {row["about"]: row for row in json.loads(capsys.readouterr().out)}
    assert found["model tiny"]["good"]


def test_every_extra_for_users_is_told() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert set(findings.EXTRAS) == set(project["optional-dependencies"]) - {"dev"}


def test_a_missing_extra_comes_with_its_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(findings, "EXTRAS", {"eval": ("no_such_module",)})
    (finding,) = findings.extras()
    assert finding.found == "not installed (optional): no_such_module"
    assert finding.optional
    assert finding.advice.endswith("[eval]'")


def test_doctor_without_a_model_ends_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(locate, "SHIPPED", tmp_path)
    assert ended(["doctor"]) == 1
    captured = capsys.readouterr()
    assert "!!  model nano" in captured.out
    assert "cannot speak" in captured.err


def test_voices_are_listed_with_the_default_starred(
    tiny_model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(["voices", "--model", str(tiny_model_folder)]) == 0
    low, high = capsys.readouterr().out.splitlines()
    assert high.split() == ["high", "0.80", "s", "a", "buzz"]
    assert low.split() == ["*", "low", "0.80", "s", "a", "buzz"]


def test_voices_speak_json(tiny_model_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(["voices", "--json", "--model", str(tiny_model_folder)]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["name"] for row in rows if row["default"]] == ["low"]
    assert rows[0]["licence"] == "CC0-1.0"


def test_a_damaged_file_of_a_shipped_model_is_named(
    tiny_model_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "tiny"
    shutil.copytree(tiny_model_folder, folder)
    monkeypatch.setattr(locate, "BUILT_IN", ("tiny",))
    monkeypatch.setattr(locate, "SHIPPED", tmp_path)
    monkeypatch.setattr(findings, "BUILT_IN", ("tiny",))
    write_checksums(folder)
    assert ended(["doctor"]) == 0
    assert "files of tiny         as they were written" in capsys.readouterr().out
    weights = bytearray((folder / "decoder.safetensors").read_bytes())
    weights[-3] ^= 1
    (folder / "decoder.safetensors").write_bytes(weights)
    (folder / "voices" / "low.safetensors").unlink()
    assert ended(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "!!  files of tiny         damaged: decoder.safetensors, voices/low.safetensors" in out


def test_a_damaged_file_of_a_shipped_model_is_not_spoken_with(
    tiny_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "tiny"
    shutil.copytree(tiny_model_folder, folder)
    monkeypatch.setattr(locate, "BUILT_IN", ("tiny",))
    monkeypatch.setattr(locate, "SHIPPED", tmp_path)
    write_checksums(folder)
    weights = (folder / "vocoder.safetensors").read_bytes()
    damaged = bytearray(weights)
    damaged[-3] ^= 1
    (folder / "vocoder.safetensors").write_bytes(damaged)
    with pytest.raises(
        ModelError, match=r"vocoder.safetensors' is missing or not as it was shipped"
    ):
        mamtra.load("tiny")
    # what speaking does not read is doctor's matter
    (folder / "vocoder.safetensors").write_bytes(weights)
    (folder / "speaker.safetensors").unlink()
    mamtra.load("tiny")
    # a model of one's own may be changed
    monkeypatch.setattr(locate, "BUILT_IN", ())
    (folder / "vocoder.safetensors").write_bytes(damaged)
    mamtra.load(folder)


def test_a_model_is_examined_on_one_page(
    tiny_model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnx")
    folder = tmp_path / "tiny"
    shutil.copytree(tiny_model_folder, folder)
    assert ended(["doctor", "--model", str(folder)]) == 0
    told = capsys.readouterr().out
    assert "(modules alone)" in told
    assert "no speech_lm.onnx" in told
    assert "ok  a sentence" in told
    assert ended(["export", str(folder), "--to", "onnx"]) == 0
    capsys.readouterr()
    assert ended(["doctor", "--model", str(folder), "--json"]) == 0
    found = {row["about"]: row for row in json.loads(capsys.readouterr().out)}
    for about in (
        "logits of a prompt",
        "logits of a step",
        "mel features",
        "mel in chunks",
        "samples",
    ):
        first, second = found[about]["found"].partition(",")[0].split()
        assert first == second
    assert found["graphs"]["found"] == "all there"


def test_vocoders_are_compared_by_features_of_a_decoder(
    tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = open_model(ModelFolder(tiny_model_folder), EngineRequest(engine="torch"))
    speak, given = type(model.vocoder).speak, []

    def listening(vocoder: Any, mel: np.ndarray, *others: Any) -> np.ndarray:
        given.append(mel)
        return speak(vocoder, mel, *others)

    monkeypatch.setattr(type(model.vocoder), "speak", listening)
    found = answers(model)
    answers(model, heard=2 * found["mel features"])
    np.testing.assert_array_equal(given[0], found["mel features"])
    np.testing.assert_array_equal(given[1], 2 * found["mel features"])


def test_an_incomplete_model_is_told_and_ends_with_1(
    tiny_model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "tiny"
    shutil.copytree(tiny_model_folder, folder)
    (folder / "vocoder.safetensors").unlink()
    assert ended(["doctor", "--model", str(folder)]) == 1
    told = capsys.readouterr()
    assert "!!  part vocoder          no vocoder.safetensors" in told.out
    assert "not as it should be" in told.err
    assert ended(["doctor", "--judge", "pocketsphinx"]) == 3
