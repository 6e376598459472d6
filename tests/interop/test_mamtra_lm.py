"""The official MamTra checkpoint: its names, its aliases, what does not fit."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from mamtra.backbone import BackboneConfig
from mamtra.errors import CheckpointError
from mamtra.interop.mamtra_lm import (
    FROM_OFFICIAL,
    config_from_official,
    from_official,
    load_official,
    speech_lm_from_official,
)
from mamtra.interop.names import renamed
from mamtra.speech_lm import SpeechLM, SpeechLMConfig

HEAD_DIM = 8
CONFIG = SpeechLMConfig(
    backbone=BackboneConfig(
        dim=32, layout="AMAM", query_heads=4, kv_heads=2, head_dim=HEAD_DIM, mlp_dim=48
    ),
    text_vocabulary=20,
    speech_vocabulary=9,
)
THEIRS = {ours: theirs for theirs, ours in FROM_OFFICIAL.items()}
ALIAS = "llm.hybrid."


@pytest.fixture
def model() -> SpeechLM:
    torch.manual_seed(2)
    return SpeechLM(CONFIG)


@pytest.fixture
def tensors(model: SpeechLM) -> dict[str, Tensor]:
    """A checkpoint: the model's weights under their names, Mamba layers a second time."""
    found: dict[str, Tensor] = {}
    for ours, tensor in model.state_dict().items():
        theirs = renamed(ours, THEIRS)
        assert theirs is not None
        path = "llm.model." if "layers." in theirs or "embed_tokens" in theirs else ""
        path = "llm.model." if theirs == "model.norm.weight" else f"{path}model." if path else ""
        found[f"{path}{theirs}"] = tensor
        if ".mamba." in theirs:
            found[f"{ALIAS}{theirs}"] = tensor.clone()
    return {**found, "llm.model.lm_head.weight": torch.zeros(20, 32)}


def test_every_weight_is_filled_once(model: SpeechLM, tensors: dict[str, Tensor]) -> None:
    built, told = speech_lm_from_official(tensors, HEAD_DIM)
    assert built.config == CONFIG
    wanted = model.state_dict()
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in built.state_dict().items())
    assert told.unused == ("llm.model.lm_head.weight",)
    assert len(told.aliases) == 2 * 8
    assert all(".mamba." in name for name in told.aliases)


def test_sizes_of_the_published_model_are_those_of_the_paper() -> None:
    with torch.device("meta"):
        config = SpeechLMConfig(backbone=BackboneConfig(layout="AM" * 12))
        wanted = SpeechLM(config).state_dict()
        assert config_from_official(wanted) == config
    mixer = "backbone.layers.1.mixer."
    assert wanted[f"{mixer}in_proj.weight"].shape == (2062, 896)
    assert wanted[f"{mixer}conv1d.weight"].shape == (1152, 1, 4)
    inside = [tensor.numel() for name, tensor in wanted.items() if name.startswith(mixer)]
    assert sum(inside) == 2_657_066


def test_aliases_that_differ_are_an_error(tensors: dict[str, Tensor]) -> None:
    tensors["llm.other.layers.1.mamba.D"] = tensors[f"{ALIAS}layers.1.mamba.D"] + 1
    with pytest.raises(CheckpointError, match=r"same weight differ: llm\.other\.layers\.1\.mamba"):
        from_official(tensors)


def test_stale_entries_and_rotary_tables_are_left_out_and_listed(
    model: SpeechLM, tensors: dict[str, Tensor]
) -> None:
    stale = "llm.model.model.layers.1.mamba.D"
    left = "llm.model.model.layers.1.self_attn.q_proj.weight"
    buffer = "llm.model.model.layers.0.self_attn.rotary_emb.inv_freq"
    given = {**tensors, stale: tensors[stale] + 1, left: torch.ones(2), buffer: torch.ones(4)}
    built, told = speech_lm_from_official(given, HEAD_DIM)
    wanted = model.state_dict()
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in built.state_dict().items())
    assert {stale, left, buffer} <= set(told.unused)


def test_gaps_and_foreign_entries_are_listed(tensors: dict[str, Tensor]) -> None:
    del tensors["llm.model.model.layers.3.mamba.D"], tensors[f"{ALIAS}layers.3.mamba.D"]
    with pytest.raises(CheckpointError, match=r"missing: backbone\.layers\.3\.mixer\.D"):
        speech_lm_from_official(tensors, HEAD_DIM)
    with pytest.raises(CheckpointError, match=r"not part of MamTra's speech LM: llm\.other"):
        from_official({**tensors, "llm.other": torch.zeros(1)})


def test_a_teacher_is_not_a_hybrid(tensors: dict[str, Tensor]) -> None:
    plain = {name: tensor for name, tensor in tensors.items() if ".mamba." not in name}
    with pytest.raises(CheckpointError, match="no hybrid"):
        speech_lm_from_official(plain, HEAD_DIM)


def test_both_kinds_of_file_are_read(tensors: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save(tensors, tmp_path / "a.pt")
    save_file(tensors, tmp_path / "a.safetensors")
    for name in ("a.pt", "a.safetensors"):
        assert load_official(tmp_path / name, HEAD_DIM)[0].config == CONFIG
    (tmp_path / "b.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(CheckpointError, match="cannot read weights"):
        load_official(tmp_path / "b.pt")
