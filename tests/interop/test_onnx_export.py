"""Whole folders as graphs: beside their weights, or copied into a folder of their own."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("onnx")
import onnx
from onnx_toys import save, toy_speech_lm
from tiny_model import write_tiny_model

from mamtra.acoustic.speaker import SpeakerConfig, SpeakerEncoder
from mamtra.acoustic.speech_tokenizer import SpeechTokenizer, SpeechTokenizerConfig
from mamtra.checkpoints.format import ModelConfig, ModelFolder, write_config
from mamtra.checkpoints.modules import fill
from mamtra.cli.export import export as command
from mamtra.errors import CheckpointError, ConfigError, ModelError
from mamtra.interop.onnx.export import OnnxExport, export_onnx
from mamtra.interop.onnx.speech_lm import MIXERS
from mamtra.runtime.onnx.session import open_session
from mamtra.runtime.onnx.speech_model import OnnxSpeechModel

GRAPHS = {"speech_lm", "decoder", "vocoder", "speech_tokenizer", "speaker"}


@pytest.fixture
def folder(tmp_path: Path) -> ModelFolder:
    return ModelFolder(write_tiny_model(tmp_path / "tiny"))


def weights_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


def test_graphs_lie_beside_the_weights_and_hold_none(folder):
    before = weights_in(folder.folder)
    made = export_onnx(folder, OnnxExport())
    assert {path.name for path in made} == {f"{name}.onnx" for name in GRAPHS}
    assert weights_in(folder.folder) == before
    for path in made:
        model = onnx.load(str(path), load_external_data=False)
        inside = [tensor for tensor in model.graph.initializer if not tensor.external_data]
        assert sum(len(tensor.raw_data) for tensor in inside) < 20_000


def test_exporting_again_writes_the_same_bytes(folder):
    made = export_onnx(folder, OnnxExport())
    first = [path.read_bytes() for path in made]
    assert [path.read_bytes() for path in export_onnx(folder, OnnxExport())] == first


def test_every_graph_passes_the_checker(folder):
    for path in export_onnx(folder, OnnxExport(standard=True)):
        onnx.checker.check_model(str(path), full_check=True)
        domains = {node.domain for node in onnx.load(str(path)).graph.node}
        assert domains == {""}


def test_tokenizer_and_speaker_are_those_of_the_modules(folder):
    export_onnx(folder, OnnxExport())
    tokenizer = SpeechTokenizer(folder.section("speech_tokenizer", SpeechTokenizerConfig))
    fill(folder, tokenizer, "speech_tokenizer")
    speaker = SpeakerEncoder(folder.section("speaker", SpeakerConfig))
    fill(folder, speaker, "speaker")
    sessions = [
        open_session(folder.folder / f"{name}.onnx", 1) for name in ("speech_tokenizer", "speaker")
    ]
    for frames in (40, 41, 137):
        mel = np.random.default_rng(frames).normal(-5, 2, (80, frames)).astype(np.float32)
        found = [session.run(None, {"mel": mel})[0] for session in sessions]
        with torch.inference_mode():
            assert found[0].tolist() == tokenizer.encode(torch.tensor(mel)[None])[0].tolist()
            expected = speaker(torch.tensor(mel)[None])[0].numpy()
        np.testing.assert_allclose(found[1], expected, atol=1e-6)


def test_a_copy_speaks_without_the_donor(folder, tmp_path):
    student = tmp_path / "student"
    student.mkdir()
    values = json.loads((folder.folder / "config.json").read_text())
    own = {"name": "student", "format": 1, "parts_from": "../tiny"}
    own["speech_lm"] = values["speech_lm"]
    (student / "config.json").write_text(json.dumps(own))
    weights = folder.part_file("speech_lm")
    (student / weights.name).write_bytes(weights.read_bytes())
    (student / "README.md").write_text("---\nlicense: mit\n---\n# A student\n")
    (folder.folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n# The donor\n")
    made = export_onnx(ModelFolder(student), OnnxExport())
    assert [path.name for path in made] == ["speech_lm.onnx"]
    export_onnx(ModelFolder(student), OnnxExport(), tmp_path / "copy")
    copy = ModelFolder(tmp_path / "copy")
    assert copy.donor is None
    assert {path.stem for path in copy.folder.glob("*.onnx")} == GRAPHS
    assert list(copy.voice_files()) == list(folder.voice_files())
    card = (copy.folder / "README.md").read_text()
    assert card.startswith("---\nlicense: mit\n---\n# A student\n\n## This copy\n")
    assert "shares with tiny are here too; their card is [PARTS.md]" in card
    assert (copy.folder / "PARTS.md").read_text().endswith("# The donor\n")
    with pytest.raises(ModelError, match="not empty"):
        export_onnx(folder, OnnxExport(), tmp_path / "copy")


def test_a_copy_of_a_model_without_a_card_says_what_it_is(folder, tmp_path):
    export_onnx(folder, OnnxExport(), tmp_path / "copy")
    card = (tmp_path / "copy" / "README.md").read_text()
    assert "license: unknown" in card
    assert "\n# tiny\n\n## This copy\n\nWritten by `mamtra export --to onnx`" in card
    assert not (tmp_path / "copy" / "PARTS.md").exists()


def test_an_export_that_fails_is_told_and_leaves_no_folder(folder, tmp_path, monkeypatch):
    monkeypatch.delitem(MIXERS, "M")
    with pytest.raises(ModelError, match=r"M \(Mamba\), which no graph can express"):
        export_onnx(folder, OnnxExport(), tmp_path / "copies" / "copy")
    assert not list((tmp_path / "copies").iterdir())


def test_weights_that_are_not_those_of_the_config_get_no_graph(folder):
    config, weights = folder.folder / "config.json", folder.part_file("speech_lm")
    values, whole = json.loads(config.read_text()), weights.read_bytes()
    layout = values["speech_lm"]["backbone"]["layout"]
    for other in (layout[:-1], layout + "A"):
        values["speech_lm"]["backbone"]["layout"] = other
        config.write_text(json.dumps(values))
        with pytest.raises(CheckpointError, match=r"does not fit the model; (not used|missing)"):
            export_onnx(ModelFolder(folder.folder), OnnxExport())
    weights.write_bytes(whole[:-100])
    with pytest.raises(CheckpointError, match="cannot read weights"):
        export_onnx(folder, OnnxExport(bits=8))
    assert not list(folder.folder.glob("*.onnx"))


def test_a_copy_does_without_what_listens(folder, tmp_path):
    config = folder.folder / "config.json"
    values = json.loads(config.read_text()) | {"speaker": {"onnx": "campplus.onnx"}}
    config.write_text(json.dumps(values))
    export_onnx(ModelFolder(folder.folder), OnnxExport(), tmp_path / "copy")
    assert not (tmp_path / "copy" / "campplus.onnx").exists()
    (folder.folder / "campplus.onnx").write_bytes(b"a graph")
    export_onnx(ModelFolder(folder.folder), OnnxExport(), tmp_path / "again")
    assert (tmp_path / "again" / "campplus.onnx").read_bytes() == b"a graph"


def test_few_bits_get_a_graph_and_a_file_of_their_own(folder, capsys):
    command(str(folder.folder), "onnx", bits=8)
    assert "speech_lm.8bit.onnx" in capsys.readouterr().err
    assert (folder.folder / "speech_lm.8bit.safetensors").is_file()
    model = OnnxSpeechModel(folder.folder / "speech_lm.8bit.onnx")
    assert model.step([1], model.new_state(1)).shape == (1, 30)


def test_a_model_whose_queries_share_a_key_gets_a_graph_for_one_stream_too(tmp_path):
    module = toy_speech_lm("MA-one-key")
    save(module, tmp_path / "speech_lm.safetensors")
    write_config(tmp_path, ModelConfig(name="shared", speech_lm=asdict(module.config)))
    made = export_onnx(ModelFolder(tmp_path), OnnxExport(bits=8))
    names = ["speech_lm", "speech_lm.8bit"]
    assert {path.name for path in made} == {
        f"{name}{form}.onnx" for name in names for form in ("", ".short")
    }
    standard = export_onnx(ModelFolder(tmp_path), OnnxExport(standard=True))
    assert [path.name for path in standard] == ["speech_lm.onnx"]
    assert not (tmp_path / "speech_lm.short.onnx").exists()


def test_rounded_weights_of_an_earlier_training_are_refused(folder):
    export_onnx(folder, OnnxExport(bits=8))
    weights = folder.part_file("speech_lm")
    changed = bytearray(weights.read_bytes())
    changed[len(changed) // 2 :] = bytes(len(changed) - len(changed) // 2)
    weights.write_bytes(changed)
    with pytest.raises(ModelError, match=r"than those in speech_lm\.safetensors; .* --bits 8"):
        OnnxSpeechModel(folder.folder / "speech_lm.8bit.onnx")
    OnnxSpeechModel(folder.folder / "speech_lm.onnx")


def test_what_cannot_be_exported_is_said(folder):
    with pytest.raises(ConfigError, match="possible are 32, 16, 8 and 4"):
        OnnxExport(bits=5)
    with pytest.raises(ConfigError, match="leave --standard out"):
        OnnxExport(bits=8, standard=True)
