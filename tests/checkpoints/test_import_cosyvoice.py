"""mamtra import: a CosyVoice 2 folder of random weights becomes a model folder."""

import importlib.util
import json
import math
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import load_file

from mamtra.acoustic.decoder import Decoder, DecoderConfig
from mamtra.acoustic.mel import MelConfig
from mamtra.acoustic.vocoder import Vocoder, VocoderConfig
from mamtra.backbone import Layout
from mamtra.checkpoints.format import ModelFolder
from mamtra.checkpoints.import_cosyvoice import import_cosyvoice2
from mamtra.cli.import_ import import_ as command
from mamtra.errors import CheckpointError, ConfigError, ModelError
from mamtra.speech_lm import SpeechLM, SpeechLMConfig
from mamtra.transfer.convert import convert

TOOL = Path(__file__).parents[1] / "tools" / "write_cosyvoice2_folder.py"


def loaded_tool() -> ModuleType:
    """The tool as a module; tests/tools is no package."""
    spec = importlib.util.spec_from_file_location(TOOL.stem, TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[TOOL.stem] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


tool = loaded_tool()


@pytest.fixture
def published(tmp_path: Path) -> Path:
    return tool.write_folder(tmp_path / "published", tool.TOY, onnx=True)


def test_full_size_has_the_published_number_of_entries_and_weights() -> None:
    counts = {
        name: (len(shapes), sum(math.prod(shape) for shape in shapes.values()))
        for name, shapes in (
            ("llm", tool.llm_shapes(tool.FULL)),
            ("flow", tool.flow_shapes(tool.FULL)),
            ("hift", tool.hift_shapes(tool.FULL)),
        )
    }
    tied = 151_936 * 896
    assert counts == {
        "llm": (295, 505_803_812 + tied),
        "flow": (1121, 112_549_360),
        "hift": (328, 20_821_295),
    }


def test_every_part_opens_and_holds_the_checkpoints_numbers(
    published: Path, tmp_path: Path
) -> None:
    report = import_cosyvoice2(published, tmp_path / "ours")
    folder = ModelFolder(tmp_path / "ours")
    speech_lm = folder.fill(SpeechLM(folder.section("speech_lm", SpeechLMConfig)), "speech_lm")
    folder.fill(Decoder(folder.section("decoder", DecoderConfig)), "decoder")
    folder.fill(Vocoder(folder.section("vocoder", VocoderConfig)), "vocoder")
    assert folder.section("mel", MelConfig).rate_hz == 24_000
    theirs = torch.load(published / "llm.pt", weights_only=True)
    assert torch.equal(speech_lm.head.bias, theirs["llm_decoder.bias"])
    assert [part.unused for part in report.parts] == [("llm.model.lm_head.weight",), (), ()]
    assert not any(part.fresh for part in report.parts)
    assert [part.used for part in report.parts] == [
        len(theirs) - 1,
        len(tool.flow_shapes(tool.TOY)),
        328,
    ]
    assert not list((tmp_path / "ours").glob("*.pt"))


def test_half_precision_is_for_the_large_parts(published: Path, tmp_path: Path) -> None:
    command("cosyvoice2", published, tmp_path / "ours", "bfloat16")
    kinds = {
        part: {tensor.dtype for tensor in load_file(tmp_path / "ours" / file).values()}
        for part in ("speech_lm", "decoder", "vocoder")
        for file in [f"{part}.safetensors"]
    }
    assert kinds == {
        "speech_lm": {torch.bfloat16},
        "decoder": {torch.bfloat16},
        "vocoder": {torch.float32},
    }


def test_vocabulary_and_onnx_files_come_along_and_the_command_tells(
    published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (published / "campplus.onnx").unlink()
    command("cosyvoice2", published, tmp_path / "ours")
    captured = capsys.readouterr()
    assert "without llm.model.lm_head.weight" in captured.out
    assert "warning: no campplus.onnx" in captured.err
    assert "huggingface.co/FunAudioLLM" in captured.err
    assert (tmp_path / "ours" / "CosyVoice-BlankEN" / "vocab.json").exists()
    assert (tmp_path / "ours" / "speech_tokenizer_v2.onnx").read_bytes() == b"stand-in"
    config = json.loads((tmp_path / "ours" / "config.json").read_text())
    assert config["text"]["tokenizer"] == "qwen"
    assert config["speaker"] == {"onnx": "campplus.onnx"}


def test_an_imported_model_converts(published: Path, tmp_path: Path) -> None:
    import_cosyvoice2(published, tmp_path / "ours", torch.bfloat16)
    layout = Layout.repeat(1, 1, 4)
    report = convert(ModelFolder(tmp_path / "ours"), tmp_path / "student", layout)
    assert report.layout == "AMAM"
    assert {file.name for file in (tmp_path / "student").iterdir()} >= {
        "CosyVoice-BlankEN",
        "campplus.onnx",
        "decoder.safetensors",
        "speech_tokenizer_v2.onnx",
        "vocoder.safetensors",
    }


@pytest.mark.parametrize("name", ["llm.pt", "hift.pt", "CosyVoice-BlankEN/vocab.json"])
def test_a_missing_file_is_named_with_its_source(
    name: str, published: Path, tmp_path: Path
) -> None:
    (published / name).unlink()
    with pytest.raises(ModelError, match=rf"fetch {name} from https://huggingface\.co"):
        import_cosyvoice2(published, tmp_path / "ours")


def test_a_failed_import_leaves_nothing(published: Path, tmp_path: Path) -> None:
    entries = torch.load(published / "hift.pt", weights_only=True)
    del entries["conv_post.bias"]
    torch.save(entries, published / "hift.pt")
    with pytest.raises(CheckpointError, match=r"missing: conv_out\.bias"):
        import_cosyvoice2(published, tmp_path / "ours")
    assert [path.name for path in tmp_path.iterdir()] == ["published"]


def test_parts_of_different_models_are_refused(published: Path, tmp_path: Path) -> None:
    entries = torch.load(published / "flow.pt", weights_only=True)
    entries["input_embedding.weight"] = torch.zeros(26, 32)
    torch.save(entries, published / "flow.pt")
    with pytest.raises(ModelError, match=r"writes 27 speech tokens and flow\.pt reads 26"):
        import_cosyvoice2(published, tmp_path / "ours")


def test_wrong_kinds_and_places_are_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="possible are cosyvoice2, mamtra"):
        command("cosyvoice3", tmp_path, tmp_path / "ours")
    with pytest.raises(ModelError, match="there is no folder"):
        import_cosyvoice2(tmp_path / "nowhere", tmp_path / "ours")
    with pytest.raises(ModelError, match="give it as --parts"):
        command("mamtra", tmp_path / "a.pt", tmp_path / "ours")


def test_the_official_hybrid_takes_the_other_parts(
    published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import_cosyvoice2(published, tmp_path / "ours")
    convert(ModelFolder(tmp_path / "ours"), tmp_path / "student", Layout.parse("AMAM"))
    weights = load_file(tmp_path / "student" / "speech_lm.safetensors")
    names = {
        "text_embedding": "llm.model.model.embed_tokens",
        "special_embedding": "llm_embedding",
        "head": "llm_decoder",
        "backbone": "llm.model.model",
    }
    official = {}
    for name, tensor in weights.items():
        first, _, rest = name.partition(".")
        rest = rest.replace("mixer", "mamba" if ".1." in name or ".3." in name else "self_attn")
        official[f"{names.get(first, first)}.{rest}"] = tensor
    torch.save(official, tmp_path / "mamtra.pt")
    command("mamtra", tmp_path / "mamtra.pt", tmp_path / "hybrid", parts=str(tmp_path / "ours"))
    assert capsys.readouterr().out.startswith(f"used {len(weights)}, again 0, unused 0")
    again = load_file(tmp_path / "hybrid" / "speech_lm.safetensors")
    assert all(torch.equal(tensor, weights[name]) for name, tensor in again.items())
    assert (tmp_path / "hybrid" / "decoder.safetensors").exists()
