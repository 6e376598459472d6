"""Chatterbox's folder into ours: the import, its hybrid by one command, what cannot be."""

import json
from dataclasses import asdict

import pytest
import torch
from chatterbox_shapes import FULL, t3_shapes
from exit_code import ended
from reference_chatterbox import REFERENCE, write_folder

from mamtra.checkpoints.format import ModelFolder
from mamtra.checkpoints.modules import open_language_model
from mamtra.config import from_dict
from mamtra.errors import CheckpointError, ModelError, VoiceError
from mamtra.generation.guard import GuardConfig
from mamtra.generation.sampling import SamplingConfig
from mamtra.interop.chatterbox_ids import built_in_voice, speech_ids
from mamtra.interop.chatterbox_lm import config_from_chatterbox
from mamtra.interop.export import export_granite
from mamtra.interop.import_chatterbox import import_chatterbox
from mamtra.sizing.sizes import CHATTERBOX
from mamtra.speech_lm import SpeechLMConfig


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    place = tmp_path_factory.mktemp("chatterbox")
    source = write_folder(place / "published")
    report = import_chatterbox(
        source, place / "ours", codes=REFERENCE.codes, head_dim=REFERENCE.head_dim
    )
    return place / "ours", report


def draw(folder):
    guard = GuardConfig(min_per_text_token=1.0, max_per_text_token=9.0, attempts=1)
    return speech_ids(ModelFolder(folder), [105, 210, 92], guard=guard)


def test_every_tensor_is_used_or_listed(imported):
    folder, report = imported
    (part,) = report.parts
    assert sorted(part.unused) == ["text_head.weight", "tfmr.embed_tokens.weight"]
    assert part.used == 22 + 9 * 3 - 2
    assert report.copied == ("tokenizer.json", "conds.pt as voice.safetensors")
    (told,) = report.warnings()
    assert "no s3gen.safetensors and no s3gen_meanflow.safetensors" in told
    model = ModelFolder(folder)
    assert model.section("guard", GuardConfig).most(30) == 1000
    assert model.section("sampling", SamplingConfig).top_k == 230
    assert open_language_model(model).config.conditioning is not None


def test_the_folder_writes_speech_ids_with_its_built_in_voice(imported):
    folder, _ = imported
    first = draw(folder)
    assert 3 <= len(first.ids) <= 27
    assert draw(folder) == first
    assert built_in_voice(ModelFolder(folder), 1.2).emotion == 1.2


def test_one_command_makes_a_hybrid_of_it(imported, tmp_path, capsys):
    folder, _ = imported
    student = tmp_path / "student"
    assert ended(["convert", str(folder), "-o", str(student), "--layout", "AMA"]) == 0
    assert "Mamba, new" in capsys.readouterr().out
    assert (student / "tokenizer.json").is_file()
    found = draw(student)
    assert 3 <= len(found.ids) <= 27
    assert found.state_bytes < draw(folder).state_bytes


def test_published_sizes_are_those_that_plan_takes():
    with torch.device("meta"):
        published = {name: torch.empty(shape) for name, shape in t3_shapes(FULL).items()}
    assert len(published) == 292
    assert sum(tensor.numel() for tensor in published.values()) == 532_405_248
    config = config_from_chatterbox(published)
    assert config == CHATTERBOX.speech_lm
    assert from_dict(SpeechLMConfig, json.loads(json.dumps(asdict(config))), "sizes") == config


def test_granite_is_refused_in_one_sentence(imported, tmp_path):
    folder, _ = imported
    with pytest.raises(ModelError, match="rope_scaling"):
        export_granite(ModelFolder(folder), tmp_path / "granite")


def test_a_folder_without_the_model_says_what_to_fetch(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    command = ["import", "chatterbox", str(tmp_path / "empty"), "-o", str(tmp_path / "x")]
    assert ended(command) == ModelError.exit_code
    assert "t3_cfg.safetensors" in capsys.readouterr().err
    assert ended([*command, "--codec", "mimi"]) != 0
    assert "s3gen and none" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_a_damaged_voice_is_refused(tmp_path):
    source = write_folder(tmp_path / "published")
    torch.save({"t3": {"speaker_emb": torch.zeros(1, 256)}}, source / "conds.pt")
    with pytest.raises(CheckpointError, match=r"conds\.pt"):
        import_chatterbox(source, tmp_path / "x", codes=200, head_dim=16)
    held = torch.load(write_folder(tmp_path / "whole") / "conds.pt")["t3"]
    for name, wrong, told in (
        ("speaker_emb", torch.zeros(1, 5), "speaker vector has 5 numbers"),
        ("cond_prompt_speech_tokens", torch.zeros(1, 400), "prompt has 400 speech tokens"),
        ("cond_prompt_speech_tokens", torch.full((1, 3), 230), "outside 0 to 229"),
        ("emotion_adv", torch.zeros(0), "cannot read the voice"),
    ):
        torch.save({"t3": held | {name: wrong}, "gen": {}}, source / "conds.pt")
        with pytest.raises((CheckpointError, VoiceError), match=told):
            import_chatterbox(source, tmp_path / "x", codes=200, head_dim=16)
    (source / "conds.pt").unlink()
    import_chatterbox(source, tmp_path / "x", codes=200, head_dim=16)
    with pytest.raises(ModelError, match=r"voice\.safetensors"):
        built_in_voice(ModelFolder(tmp_path / "x"))
