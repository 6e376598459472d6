"""CosyVoice 2's llm.pt: names, sizes, and what does not fit."""

import re

import pytest
import torch
from reference import TOY_HEAD_DIM, synthetic_weights, toy_lm_shapes

from mamtra.errors import CheckpointError
from mamtra.interop.cosyvoice_lm import (
    config_from_cosyvoice_lm,
    from_cosyvoice_lm,
    speech_lm_from_cosyvoice,
)
from mamtra.interop.pickles import read_entries

TEXT_HEAD = "llm.model.lm_head.weight"


@pytest.fixture
def tensors():
    return synthetic_weights(toy_lm_shapes())


def test_every_tensor_is_used_but_the_text_head(tensors):
    model, unused = speech_lm_from_cosyvoice(tensors, TOY_HEAD_DIM)
    assert unused == (TEXT_HEAD,)
    assert len(model.state_dict()) == len(tensors) - 1


def test_sizes_are_read_from_the_published_shapes():
    with torch.device("meta"):
        shapes = {
            "llm.model.model.embed_tokens.weight": (151_936, 896),
            "llm_decoder.weight": (6564, 896),
            "llm.model.model.layers.0.self_attn.q_proj.weight": (896, 896),
            "llm.model.model.layers.0.self_attn.k_proj.weight": (128, 896),
            "llm.model.model.layers.0.mlp.gate_proj.weight": (4864, 896),
        } | {f"llm.model.model.layers.{n}.input_layernorm.weight": (896,) for n in range(24)}
        config = config_from_cosyvoice_lm({name: torch.empty(s) for name, s in shapes.items()})
    backbone = config.backbone
    assert (backbone.dim, backbone.query_heads, backbone.kv_heads) == (896, 14, 2)
    assert (backbone.layout, backbone.mlp_dim) == ("A" * 24, 4864)
    assert (config.text_vocabulary, config.vocabulary.end) == (151_936, 6561)


def test_a_file_is_read_without_running_its_pickle(tensors, tmp_path):
    path = tmp_path / "llm.pt"
    torch.save({**tensors, "epoch": 3, "step": 40}, path)
    model, unused = speech_lm_from_cosyvoice(read_entries(path), TOY_HEAD_DIM)
    assert set(unused) == {TEXT_HEAD, "epoch", "step"}
    assert torch.equal(model.head.bias, tensors["llm_decoder.bias"])
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(CheckpointError, match="cannot read weights"):
        read_entries(path)


def test_gaps_leftovers_and_wrong_shapes_are_all_listed(tensors):
    del tensors["llm.model.model.layers.1.mlp.up_proj.weight"]
    tensors["llm_embedding.weight"] = torch.zeros(3, 64)
    tensors["llm.model.model.layers.7.mlp.up_proj.weight"] = torch.zeros(128, 64)
    with pytest.raises(CheckpointError) as caught:
        speech_lm_from_cosyvoice(tensors, TOY_HEAD_DIM)
    told = str(caught.value)
    assert "missing: backbone.layers.1.mlp.up_proj.weight" in told
    assert "not used: backbone.layers.7.mlp.up_proj.weight" in told
    assert "special_embedding.weight (3, 64) instead of (2, 64)" in told


def test_a_foreign_entry_is_named(tensors):
    with pytest.raises(CheckpointError, match=r"spk_embed_affine_layer\.weight"):
        from_cosyvoice_lm({**tensors, "spk_embed_affine_layer.weight": torch.zeros(1)})
    with pytest.raises(CheckpointError, match=r"llm_decoder\.weight.* missing"):
        config_from_cosyvoice_lm({"a": torch.zeros(1)})


@pytest.mark.parametrize(
    "name", ["llm_decoder.weight", "llm.model.model.layers.0.self_attn.q_proj.weight"]
)
def test_an_entry_that_should_tell_a_size_and_does_not_is_named(name, tensors):
    tensors[name] = tensors[name].flatten()
    with pytest.raises(
        CheckpointError, match=rf"another shape: {re.escape(name)} \(\d+,\) instead"
    ):
        speech_lm_from_cosyvoice(tensors, TOY_HEAD_DIM)


def test_version_3_without_its_rows_behind_the_codes_is_refused(tensors):
    del tensors["llm_embedding.weight"], tensors["llm_decoder.bias"]
    tensors["speech_embedding.weight"] = torch.zeros(200, 64)
    with pytest.raises(CheckpointError, match="200 rows, and version 3 has 200 of them behind"):
        from_cosyvoice_lm(tensors)
