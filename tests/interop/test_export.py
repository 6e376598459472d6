"""The student as a stock Granite model: the same logits, the same greedy ids, in transformers."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch

from mamtra.backbone import BackboneConfig, MambaConfig
from mamtra.checkpoints.card import read_front
from mamtra.checkpoints.format import ModelConfig, ModelFolder, write_config
from mamtra.checkpoints.modules import save_part
from mamtra.cli.export import export as command
from mamtra.errors import ConfigError, ModelError
from mamtra.interop.cosyvoice_lm import VERSION3
from mamtra.interop.export import export_granite
from mamtra.interop.granite import obstacles
from mamtra.speech_lm import SpeechLM, SpeechLMConfig, cross_lingual, pack_segments

transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.filterwarnings("ignore")  # transformers' own

SIZES = {"dim": 32, "query_heads": 4, "kv_heads": 2, "head_dim": 8, "mlp_dim": 48}
TEXT, CODES = 20, 60
# layout and Mamba layers; every variant that docs/convert.md promises is among them
FORMS = {
    "parity": ("AMM", MambaConfig()),
    "portable": ("MAM", MambaConfig(conv_start="identity", input_bias=True, gate="open")),
    "biased": ("AMM", MambaConfig(input_bias=True, gate="open", conv_width=2, kv_heads=4)),
    "bare": ("AMM", MambaConfig(gate="none", conv_width=0, decay="group", decay_start="long")),
    "grouped": ("MMA", MambaConfig(decay="group", kv_heads=1, input_bias=True, conv_width=3)),
    "one tap": ("MA", MambaConfig(gate="none", input_bias=True, conv_width=1, norm_eps=1e-6)),
    "attention": ("AAA", MambaConfig()),
    "mamba": ("MM", MambaConfig(decay_start="long")),
}


def student(folder: Path, mamba: MambaConfig, layout: str = "AMM") -> tuple[ModelFolder, SpeechLM]:
    """A model whose every weight is random, small enough that the norms' epsilon counts."""
    backbone = BackboneConfig(layout=layout, mamba=mamba, **SIZES)
    config = SpeechLMConfig(backbone=backbone, text_vocabulary=TEXT, speech_vocabulary=CODES)
    torch.manual_seed(3)
    model = SpeechLM(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    write_config(folder, ModelConfig(name="toy", speech_lm=asdict(config)))
    save_part(model, folder / "speech_lm.safetensors", torch.float32)
    return ModelFolder(folder), model.eval()


def prompt(folder: Path, text: list[int]) -> list[int]:
    """Text ids as the exported model reads them."""
    ids = json.loads((folder / "ids.json").read_text())
    return [ids["start"], *(index + ids["text"]["first"] for index in text), ids["task"]]


def opened(folder: Path) -> Any:
    """The folder as transformers reads it, every weight found and used."""
    model, told = transformers.GraniteMoeHybridForCausalLM.from_pretrained(
        folder, dtype=torch.float32, output_loading_info=True
    )
    assert not any(told[what] for what in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    return model.eval()


def said_greedily(model: SpeechLM, text: list[int], ids: int) -> list[int]:
    """What our model says, without the ids that are never spoken."""
    state, said = model.new_state(1), []
    logits = model.read([cross_lingual(text)], state)
    while len(said) < ids:
        said.append(int(logits[0, : model.vocabulary.unused[0]].argmax()))
        if said[-1] == model.vocabulary.end:
            break
        logits = model.step(torch.tensor(said[-1:]), state)
    return said


@pytest.mark.parametrize("form", FORMS)
def test_logits_and_greedy_ids_are_ours(form: str, tmp_path: Path) -> None:
    layout, mamba = FORMS[form]
    folder, ours = student(tmp_path / "student", mamba, layout)
    export_granite(folder, tmp_path / "granite")
    theirs = opened(tmp_path / "granite")
    memory = "A" in layout  # transformers cannot count what one without attention has read
    text = [3, 7, 1, 19, 0, 5]
    ids = torch.tensor([[*prompt(tmp_path / "granite", text), *range(0, 60, 2)]])
    batch = pack_segments([cross_lingual(text)])
    speech = ours.speech_embedding(torch.arange(0, 60, 2))[None]
    bias = torch.tensor(json.loads((tmp_path / "granite" / "head_bias.json").read_text()))
    with torch.no_grad():
        wanted = ours.head(ours.backbone(torch.cat([ours.embed(batch), speech], dim=1)))
        got = theirs(ids, use_cache=memory).logits
    assert (got[..., CODES + 3 :] == 0).all()
    got = got[..., : CODES + 3]
    assert (got - wanted).abs().max() > 1e-2  # without its bias the head says something else
    assert float((got + bias - wanted).abs().max() / wanted.abs().max()) < 1e-5

    given = ids[:, : len(text) + 2]
    spoken = theirs.generate(given, max_new_tokens=24, do_sample=False, use_cache=memory)
    assert spoken[0, given.shape[1] :].tolist() == said_greedily(ours, text, 24)


def test_cosyvoice_3s_marks_end_speech_in_granite_too(tmp_path: Path) -> None:
    backbone = BackboneConfig(layout="AMA", **SIZES)
    config = SpeechLMConfig(
        backbone=backbone, text_vocabulary=TEXT, speech_vocabulary=CODES, **VERSION3
    )
    torch.manual_seed(5)
    ours = SpeechLM(config).eval()
    with torch.no_grad():
        ours.head.bias[CODES + 9] = 1.0  # a mark that is not the end is drawn soon
    folder = tmp_path / "student"
    write_config(folder, ModelConfig(name="toy3", speech_lm=asdict(config)))
    save_part(ours, folder / "speech_lm.safetensors", torch.float32)
    export_granite(ModelFolder(folder), tmp_path / "granite")
    theirs, text = opened(tmp_path / "granite"), [3, 7, 1]
    given = torch.tensor([prompt(tmp_path / "granite", text)])
    spoken = theirs.generate(given, max_new_tokens=24, do_sample=False)[0, given.shape[1] :]
    state, said = ours.new_state(1), []
    logits = ours.read([cross_lingual(text)], state)
    while len(said) < 24:
        said.append(int(logits[0].argmax()))
        if said[-1] in ours.vocabulary.stops:
            break
        logits = ours.step(torch.tensor(said[-1:]), state)
    assert spoken.tolist() == said
    assert said[-1] >= CODES
    table = json.loads((tmp_path / "granite" / "ids.json").read_text())
    assert table["ends"] == [CODES, CODES + 199]
    assert table["never_generated"] == [[CODES + 200, CODES + 200 + 1 + TEXT]]


def test_an_all_attention_model_can_be_exported(tmp_path: Path) -> None:
    folder, _ = student(tmp_path / "student", MambaConfig(), "AA")
    command(str(folder.folder), "granite", tmp_path / "granite", "bfloat16")
    config = json.loads((tmp_path / "granite" / "config.json").read_text())
    assert config["layer_types"] == ["attention", "attention"]
    assert (config["residual_multiplier"], config["rms_norm_eps"]) == (1.0, 1e-6)
    assert config["torch_dtype"] == "bfloat16"
    assert config["vocab_size"] == CODES + 3 + 2 + TEXT
    assert read_front(tmp_path / "granite")["library_name"] == "transformers"


def test_what_granite_cannot_express_is_listed(tmp_path: Path) -> None:
    mamba = MambaConfig(activation="none", norm=False, rotary=True, conv_width=5)
    folder, _ = student(tmp_path / "student", mamba)
    with pytest.raises(ModelError, match=r"activation='none'.*norm=False.*rotary=True.*width=5"):
        export_granite(folder, tmp_path / "granite")
    assert not (tmp_path / "granite").exists()
    wide = BackboneConfig(layout="A", **{**SIZES, "head_dim": 16})
    assert "do not make up dim=32" in obstacles(wide)[0]


def test_an_unknown_form_and_a_taken_folder_are_refused(tmp_path: Path) -> None:
    folder, _ = student(tmp_path / "student", MambaConfig())
    with pytest.raises(ConfigError, match="possible are onnx, web, granite"):
        command(str(folder.folder), "gguf", tmp_path / "x")
    with pytest.raises(ModelError, match="not empty"):
        command(str(folder.folder), "granite", tmp_path / "student")
