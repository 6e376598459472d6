"""A plain Qwen2 speech model: its own logits, through import, conversion and export."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from mamtra.backbone import Layout
from mamtra.checkpoints.format import ModelFolder
from mamtra.checkpoints.modules import open_language_model
from mamtra.cli.import_ import import_plain
from mamtra.cli.main import main
from mamtra.errors import CheckpointError, ConfigError, ModelError
from mamtra.interop.export import export_granite
from mamtra.interop.import_qwen2 import SpeechIds, import_qwen2, read_range
from mamtra.speech_lm import SpeechLM, pack_segments, zero_shot
from mamtra.transfer.convert import convert

transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.filterwarnings("ignore")  # transformers' own

TEXT, FIRST, COUNT, BEHIND = 20, 20, 30, 6  # text ids, speech ids, six more ids behind them
END, START, TASK = 50, 51, 52
IDS = SpeechIds(first=FIRST, count=COUNT, end=END, start=START, task=TASK)


def published(folder: Path, *, tied: bool, shard: str = "1GB") -> Any:
    """A toy Qwen2 as transformers saves it."""
    torch.manual_seed(2)
    config = transformers.Qwen2Config(
        vocab_size=FIRST + COUNT + BEHIND,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=tied,
        eos_token_id=END,
        bos_token_id=None,
    )
    model = transformers.Qwen2ForCausalLM(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.2 * torch.randn_like(weight))
    model.save_pretrained(folder, max_shard_size=shard)
    (folder / "tokenizer.json").write_text("{}")
    return model


def ours(folder: Path) -> SpeechLM:
    """The language model of a folder."""
    opened = ModelFolder(folder)
    return open_language_model(opened)


@pytest.mark.parametrize(("tied", "shard"), [(True, "1GB"), (False, "8KB")])
def test_logits_are_the_originals(tied: bool, shard: str, tmp_path: Path) -> None:
    theirs = published(tmp_path / "qwen", tied=tied, shard=shard)
    assert len([*(tmp_path / "qwen").glob("model*.safetensors")]) == 1 or shard == "8KB"
    report = import_qwen2(tmp_path / "qwen", tmp_path / "ours", IDS)
    model = ours(tmp_path / "ours")
    text, speech = [3, 7, 1, 19], [0, 29, 5, 5, 11]
    batch = pack_segments([zero_shot(text, (), speech)])
    ids = torch.tensor([[START, *text, TASK, *(FIRST + token for token in speech)]])
    with torch.no_grad():
        found = model.head(model.backbone(model.embed(batch)))[0]
        wanted = theirs(ids).logits[0]
    scale = float(wanted.abs().max())
    assert float((found[:, :COUNT] - wanted[:, FIRST : FIRST + COUNT]).abs().max()) / scale < 1e-5
    assert float((found[:, COUNT] - wanted[:, END]).abs().max()) / scale < 1e-5
    assert (found[:, COUNT + 1 :] == -100).all()
    assert model.config.text_vocabulary == TEXT + BEHIND
    part = report.parts[0]
    assert part.used == len(theirs.state_dict()) - tied
    assert part.unused == (f"lm_head.weight[{TEXT + BEHIND - 1} rows that are not speech]",)
    assert "head.weight[unused, fill]" in part.fresh
    assert not any("special" in name for name in part.fresh)


def test_text_ids_behind_the_speech_move_down(tmp_path: Path) -> None:
    theirs = published(tmp_path / "qwen", tied=True)
    import_qwen2(tmp_path / "qwen", tmp_path / "ours", IDS, torch.bfloat16)
    table = ours(tmp_path / "ours").text_embedding.weight
    wanted = theirs.model.embed_tokens.weight.bfloat16().float()
    assert torch.equal(table[19], wanted[19])
    assert torch.equal(table[20], wanted[50])
    assert json.loads((tmp_path / "ours" / "ids.json").read_text())["first"] == FIRST
    assert (tmp_path / "ours" / "tokenizer" / "tokenizer.json").exists()
    assert "were 20 to 49" in (tmp_path / "ours" / "README.md").read_text()


def test_marks_that_nobody_named_are_fresh(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    published(tmp_path / "qwen", tied=True)
    import_plain(str(tmp_path / "qwen"), tmp_path / "ours", "20:30")
    assert "special_embedding.weight[start], special_embedding.weight[task]" in (
        capsys.readouterr().out
    )
    assert not ours(tmp_path / "ours").special_embedding.weight.any()


def test_it_converts_and_exports_but_does_not_speak(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    published(tmp_path / "qwen", tied=True)
    import_qwen2(tmp_path / "qwen", tmp_path / "ours", IDS)
    report = convert(ModelFolder(tmp_path / "ours"), tmp_path / "student", Layout.parse("AMAM"))
    assert report.layout == "AMAM"
    export_granite(ModelFolder(tmp_path / "student"), tmp_path / "granite")
    assert (tmp_path / "granite" / "model.safetensors").exists()
    with pytest.raises(SystemExit) as ended:
        main(["say", "Hello.", "--model", str(tmp_path / "ours"), "-o", str(tmp_path / "a.wav")])
    assert ended.value.code == ModelError.exit_code
    told = capsys.readouterr().err
    assert "to speak, the model 'ours' lacks text, mel, decoder, vocoder" in told


@pytest.mark.parametrize(
    ("ids", "told"),
    [
        (SpeechIds(first=20, count=99), "20:99 do not lie in a vocabulary of 56"),
        (SpeechIds(first=20, count=0), "20:0 do not lie"),
        (SpeechIds(first=20, count=30, end=99), "end id 99 is outside"),
        (SpeechIds(first=20, count=30, task=22), "task id 22 lies among the speech ids"),
    ],
)
def test_ids_that_cannot_be_are_refused(ids: SpeechIds, told: str, tmp_path: Path) -> None:
    published(tmp_path / "qwen", tied=True)
    with pytest.raises(ConfigError, match=told):
        import_qwen2(tmp_path / "qwen", tmp_path / "ours", ids)
    assert not (tmp_path / "ours").exists()


def test_a_model_without_an_end_needs_one(tmp_path: Path) -> None:
    published(tmp_path / "qwen", tied=True)
    path = tmp_path / "qwen" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"eos_token_id": None}))
    with pytest.raises(ConfigError, match=r"no id ends speech: .* say --end"):
        import_qwen2(tmp_path / "qwen", tmp_path / "ours", SpeechIds(first=FIRST, count=COUNT))
    for named in ([END, START], "50", 50.0, True):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"eos_token_id": named}))
        with pytest.raises(ConfigError, match=r"eos_token_id of .*, not one id; say --end"):
            import_qwen2(tmp_path / "qwen", tmp_path / "ours", SpeechIds(first=FIRST, count=COUNT))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"eos_token_id": [END]}))
    import_qwen2(tmp_path / "qwen", tmp_path / "ours", SpeechIds(first=FIRST, count=COUNT))


def test_a_head_that_is_not_the_embeddings_is_refused(tmp_path: Path) -> None:
    published(tmp_path / "qwen", tied=True)
    weights = tmp_path / "qwen" / "model.safetensors"
    whole = load_file(weights)
    table = whole["model.embed_tokens.weight"]
    for head, told in (
        (table + 1, "ties .* and holds another one"),
        (table[:40].clone(), "are not of one vocabulary"),
        (table.flatten().clone(), "of another shape"),
    ):
        save_file(whole | {"lm_head.weight": head}, weights)
        with pytest.raises(CheckpointError, match=told):
            import_qwen2(tmp_path / "qwen", tmp_path / "ours", IDS)
    save_file(whole | {"lm_head.weight": table.clone()}, weights)
    import_qwen2(tmp_path / "qwen", tmp_path / "ours", IDS)


def test_a_range_is_two_numbers() -> None:
    assert read_range("151665:6561") == (151665, 6561)
    with pytest.raises(ConfigError, match="are not FIRST:COUNT"):
        read_range("151665-6561")


def test_other_models_and_damaged_folders_are_explained(tmp_path: Path) -> None:
    source, target = tmp_path / "qwen", tmp_path / "ours"
    published(source, tied=True)
    config = json.loads((source / "config.json").read_text())

    def refused(kind: type[Exception], match: str, **changes: object) -> None:
        (source / "config.json").write_text(json.dumps(config | changes))
        with pytest.raises(kind, match=match):
            import_qwen2(source, target, IDS)

    refused(ModelError, "of type 'llama'; only qwen2 is read", model_type="llama")
    refused(ModelError, "scales its positions", rope_scaling={"type": "yarn", "factor": 4.0})
    refused(ModelError, "scales its positions", rope_scaling=["yarn"])
    refused(ModelError, "has sliding windows", use_sliding_window=True)
    kinds = ["full_attention"] * 3 + ["sliding_attention"]
    refused(ModelError, "has sliding windows", layer_types=kinds)
    refused(CheckpointError, "does not fit its config.json; .*instead of", intermediate_size=40)
    refused(CheckpointError, "missing: .*layers.4.", num_hidden_layers=5)
    refused(ConfigError, "are no numbers above 0: hidden_size", hidden_size="32")
    refused(ConfigError, "above 0: num_hidden_layers, head_dim", num_hidden_layers=4.0, head_dim=[])
    refused(ConfigError, "above 0: rope_theta", rope_theta=-1.0)
    refused(CheckpointError, "has no lm_head.weight", tie_word_embeddings=False)
    (source / "model.safetensors").unlink()
    refused(ModelError, "holds no weights; model.safetensors is needed")
    (source / "pytorch_model.bin").touch()
    refused(ModelError, "holds only pickles")
    with pytest.raises(ModelError, match="there is no folder"):
        import_qwen2(tmp_path / "nowhere", target, IDS)
    assert not target.exists()


def test_rotary_tables_are_left_out_and_listed(tmp_path: Path) -> None:
    published(tmp_path / "qwen", tied=True)
    weights = tmp_path / "qwen" / "model.safetensors"
    buffer = "model.layers.0.self_attn.rotary_emb.inv_freq"
    save_file(load_file(weights) | {buffer: torch.ones(4)}, weights)
    report = import_qwen2(tmp_path / "qwen", tmp_path / "ours", IDS)
    assert buffer in report.parts[0].unused


def test_quantised_weights_are_refused_in_one_sentence(tmp_path: Path) -> None:
    published(tmp_path / "qwen", tied=True)
    weights = tmp_path / "qwen" / "model.safetensors"
    save_file({name: tensor.to(torch.int8) for name, tensor in load_file(weights).items()}, weights)
    with pytest.raises(CheckpointError, match=r"quantised ones are not read: .* is torch\.int8"):
        import_qwen2(tmp_path / "qwen", tmp_path / "ours", IDS)
    assert not (tmp_path / "ours").exists()
