"""mamtra import: a CosyVoice 2 folder of random weights becomes a model folder."""

import errno
import hashlib
import json
import math
import os
from pathlib import Path

import pytest
import torch
from cosyvoice2_shapes import FULL, TOY, flow_shapes, hift_shapes, llm_shapes
from safetensors.torch import load_file
from write_cosyvoice2_folder import write_folder

from mamtra.acoustic.decoder import Decoder, DecoderConfig
from mamtra.acoustic.vocoder import Vocoder, VocoderConfig
from mamtra.audio.log_mel import MelConfig
from mamtra.backbone import Layout
from mamtra.checkpoints.card import read_front
from mamtra.checkpoints.format import ModelFolder
from mamtra.checkpoints.hub import COSYVOICE2
from mamtra.checkpoints.modules import fill, open_language_model
from mamtra.checkpoints.shards import INDEX
from mamtra.cli.import_ import import_cosyvoice, import_official
from mamtra.cli.main import main
from mamtra.errors import CheckpointError, ConfigError, ModelError
from mamtra.interop.import_cosyvoice import import_cosyvoice2
from mamtra.interop.import_mamtra import checkpoint_file, opened_parts
from mamtra.transfer.convert import convert

SHAPES = {"llm": llm_shapes, "flow": flow_shapes, "hift": hift_shapes}


@pytest.fixture
def published(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "published", TOY, onnx=True)


def test_full_size_has_the_published_number_of_entries_and_weights() -> None:
    counts = {
        name: (len(shapes), sum(math.prod(shape) for shape in shapes.values()))
        for name, shapes in ((name, of_size(FULL)) for name, of_size in SHAPES.items())
    }
    tied = 151_936 * 896
    assert counts == {
        "llm": (295, 505_803_812 + tied),
        "flow": (1121, 112_549_360),
        "hift": (328, 20_821_295),
    }


# of names and shapes in the published checkpoints, as the reference case "inventory" lists them
INVENTORY = {"llm": "e63c31f4c512b01f", "flow": "78b372dcf9e164d2", "hift": "a1ce6660638f4bb6"}


def test_full_size_has_the_published_names_and_shapes() -> None:
    for name, digest in INVENTORY.items():
        shapes = SHAPES[name](FULL)
        text = json.dumps(sorted((entry, list(shape)) for entry, shape in shapes.items()))
        assert hashlib.sha256(text.encode()).hexdigest().startswith(digest), name


def test_every_part_opens_and_holds_the_checkpoints_numbers(
    published: Path, tmp_path: Path
) -> None:
    report = import_cosyvoice2(published, tmp_path / "ours")
    folder = ModelFolder(tmp_path / "ours")
    speech_lm = open_language_model(folder)
    fill(folder, Decoder(folder.section("decoder", DecoderConfig)), "decoder")
    fill(folder, Vocoder(folder.section("vocoder", VocoderConfig)), "vocoder")
    assert folder.section("mel", MelConfig).rate_hz == 24_000
    theirs = torch.load(published / "llm.pt", weights_only=True)
    assert torch.equal(speech_lm.head.bias, theirs["llm_decoder.bias"])
    assert [part.unused for part in report.parts] == [("llm.model.lm_head.weight",), (), ()]
    assert not any(part.fresh for part in report.parts)
    assert [part.used for part in report.parts] == [
        len(theirs) - 1,
        len(flow_shapes(TOY)),
        328,
    ]
    assert not list((tmp_path / "ours").glob("*.pt"))


def test_half_precision_is_for_the_large_parts(published: Path, tmp_path: Path) -> None:
    import_cosyvoice(str(published), tmp_path / "ours", "bfloat16")
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
    import_cosyvoice(str(published), tmp_path / "ours")
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


def test_a_full_disk_leaves_nothing_and_says_so(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, seen = os.replace, []

    def full(source: Path, target: Path) -> None:
        seen.append(target)
        if len(seen) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    monkeypatch.setattr("mamtra.atomic.os.replace", full)
    with pytest.raises(ModelError, match=r"cannot write .*ours.*No space left"):
        import_cosyvoice2(published, tmp_path / "ours")
    assert len(seen) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["published"]


def test_an_interrupted_import_leaves_nothing(published: Path, tmp_path: Path) -> None:
    def interrupt(file: str) -> None:
        if file == "flow.pt":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_cosyvoice2(published, tmp_path / "ours", notice=interrupt)
    assert [path.name for path in tmp_path.iterdir()] == ["published"]


def test_what_a_killed_run_left_is_in_nobodys_way(published: Path, tmp_path: Path) -> None:
    (tmp_path / ".ours.partial").mkdir()
    (tmp_path / ".ours.partial" / "speech_lm.safetensors").write_bytes(b"half")
    import_cosyvoice2(published, tmp_path / "ours")
    assert {path.name for path in tmp_path.iterdir()} == {"published", "ours"}


def test_large_parts_lie_in_shards_and_open_all_the_same(published: Path, tmp_path: Path) -> None:
    import_cosyvoice(str(published), tmp_path / "ours", shard_gb=0.001)
    names = {path.name for path in (tmp_path / "ours").iterdir()}
    assert f"speech_lm.safetensors{INDEX}" in names
    assert "speech_lm.safetensors" not in names
    folder = ModelFolder(tmp_path / "ours")
    assert len(folder.part_files("speech_lm")) > 1
    theirs = torch.load(published / "llm.pt", weights_only=True)
    model = open_language_model(folder)
    assert torch.equal(model.text_embedding.weight, theirs["llm.model.model.embed_tokens.weight"])
    convert(folder, tmp_path / "student", Layout.repeat(1, 1, 4))
    assert ModelFolder(tmp_path / "student").holds("decoder")


def test_cards_tell_the_hub_what_they_are(published: Path, tmp_path: Path) -> None:
    import_cosyvoice2(published, tmp_path / "ours")
    convert(ModelFolder(tmp_path / "ours"), tmp_path / "student", Layout.repeat(1, 1, 4))
    for name, tag in (("ours", "cosyvoice2"), ("student", "hybrid")):
        front = read_front(tmp_path / name)
        assert front["license"] == "apache-2.0"
        assert front["library_name"] == "mamtra"
        assert front["base_model"] == COSYVOICE2
        assert tag in front["tags"]
    assert "llm.pt" in (tmp_path / "ours" / "README.md").read_text()


def test_counters_of_training_checkpoints_are_left_out(published: Path, tmp_path: Path) -> None:
    for name in ("llm.pt", "flow.pt", "hift.pt"):
        entries = torch.load(published / name, weights_only=True)
        torch.save({**entries, "epoch": 3, "step": 40}, published / name)
    report = import_cosyvoice2(published, tmp_path / "ours")
    assert all({"epoch", "step"} <= set(part.unused) for part in report.parts)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "is a Git LFS pointer"),
        (b"", "is empty"),
        (b"<!DOCTYPE html><html>", "is a web page"),
        (b"what is this", "is not one of PyTorch's files"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_explained(
    content: bytes, told: str, published: Path, tmp_path: Path
) -> None:
    (published / "llm.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"llm\.pt': it {told}") as caught:
        import_cosyvoice2(published, tmp_path / "ours")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ours").exists()


@pytest.mark.parametrize("name", ["campplus.onnx", "CosyVoice-BlankEN/merges.txt"])
def test_a_stand_in_is_not_copied(name: str, published: Path, tmp_path: Path) -> None:
    for content, told in (
        (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
        (b"", "is empty"),
        (b"<html>", "is a web page"),
    ):
        (published / name).write_bytes(content)
        with pytest.raises(ModelError, match=rf"{name}': it {told}"):
            import_cosyvoice2(published, tmp_path / "ours")
    assert not (tmp_path / "ours").exists()


def test_parts_of_different_models_are_refused(published: Path, tmp_path: Path) -> None:
    entries = torch.load(published / "flow.pt", weights_only=True)
    entries["input_embedding.weight"] = torch.zeros(26, 32)
    torch.save(entries, published / "flow.pt")
    with pytest.raises(ModelError, match=r"writes 27 speech tokens and flow\.pt reads 26"):
        import_cosyvoice2(published, tmp_path / "ours")


def test_wrong_kinds_and_places_are_explained(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["import", "cosyvoice4", str(tmp_path), "-o", str(tmp_path / "ours")])
    assert ended.value.code == 2
    with pytest.raises(ConfigError, match="dtype 'int8' is unknown; possible are float32"):
        import_cosyvoice(str(tmp_path), tmp_path / "ours", "int8")
    with pytest.raises(ConfigError, match=r"at least 0\.001"):
        import_cosyvoice(str(tmp_path), tmp_path / "ours", shard_gb=0.0)
    with pytest.raises(ModelError, match="there is no folder"):
        import_cosyvoice2(tmp_path / "nowhere", tmp_path / "ours")
    with pytest.raises(ModelError, match="give it as --parts"):
        import_official(str(tmp_path / "a.pt"), tmp_path / "ours")


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
    import_official(str(tmp_path / "mamtra.pt"), tmp_path / "hybrid", str(tmp_path / "ours"))
    row = capsys.readouterr().out.splitlines()[1].split()
    assert row[:5] == ["mamtra.pt", "speech_lm", str(len(weights)), "0", "0"]
    again = load_file(tmp_path / "hybrid" / "speech_lm.safetensors")
    assert all(torch.equal(tensor, weights[name]) for name, tensor in again.items())
    assert (tmp_path / "hybrid" / "decoder.safetensors").exists()
    front = read_front(tmp_path / "hybrid")
    assert (front["license"], front["base_model"]) == ("unknown", COSYVOICE2)
    # a model that reads text in another way is refused
    config = json.loads((tmp_path / "ours" / "config.json").read_text())
    config["text"]["tokenizer"] = "cosyvoice3"
    (tmp_path / "ours" / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="'ours' reads it by the tokenizer 'cosyvoice3'"):
        import_official(str(tmp_path / "mamtra.pt"), tmp_path / "again", str(tmp_path / "ours"))
    # and a decoder that reads other tokens
    config["text"]["tokenizer"] = "qwen"
    config["decoder"]["encoder"]["vocabulary"] = 5
    (tmp_path / "ours" / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="writes 27 speech tokens and the decoder of 'ours' reads"):
        import_official(str(tmp_path / "mamtra.pt"), tmp_path / "again", str(tmp_path / "ours"))


def test_a_published_folder_may_stand_for_its_parts(published: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / "official"
    left = tmp_path / "new" / ".official.parts"
    (left / "cosyvoice2" / "of a killed run").mkdir(parents=True)
    with opened_parts(published, target, torch.float32) as parts:
        assert parts.folder.parent == left
        assert (parts.folder / "decoder.safetensors").is_file()
    assert not left.exists()
    with opened_parts(Path(str(published)), target, torch.float32) as again:
        assert again.holds("vocoder")
    target.mkdir()
    (target / "mine").touch()
    with pytest.raises(ModelError, match="not empty"), opened_parts(published, target, torch.half):
        pass


def test_a_folder_with_one_checkpoint_stands_for_it(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("a card")
    with pytest.raises(ModelError, match="holds none of the files"):
        checkpoint_file(tmp_path)
    (tmp_path / "model.pt").write_bytes(b"one")
    assert (
        checkpoint_file(tmp_path) == tmp_path / "model.pt" == checkpoint_file(tmp_path / "model.pt")
    )
    (tmp_path / "other.pt").write_bytes(b"two")
    with pytest.raises(ModelError, match=r"holds model\.pt, other\.pt"):
        checkpoint_file(tmp_path)
