"""Our attention stack against transformers' Qwen2, random weights through the real converter."""

import warnings

import pytest
import torch
from torch.testing import assert_close

from mamtra.backbone import Stack
from mamtra.errors import CheckpointError
from mamtra.interop.qwen2 import config_from_qwen2, from_qwen2


@pytest.fixture(scope="module")
def original():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        transformers = pytest.importorskip("transformers")
        torch.manual_seed(0)
        config = transformers.Qwen2Config(
            vocab_size=50,
            hidden_size=48,
            intermediate_size=96,
            num_hidden_layers=3,
            num_attention_heads=6,
            num_key_value_heads=2,
            rope_parameters={"rope_theta": 1e6, "rope_type": "default"},
            rms_norm_eps=1e-6,
        )
        model = transformers.Qwen2ForCausalLM(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.2)
    return model


@pytest.fixture(scope="module")
def ours(original):
    stack = Stack(config_from_qwen2(original.config.to_dict()))
    stack.load_state_dict(from_qwen2(original.state_dict()))
    return stack.eval()


def test_hidden_states_equal_the_original(original, ours):
    hidden = torch.randn(2, 37, 48)
    with torch.no_grad():
        theirs = original.model(inputs_embeds=hidden, use_cache=False).last_hidden_state
        assert_close(ours(hidden), theirs, atol=1e-5, rtol=1e-5)


def test_cached_steps_equal_the_original_whole_pass(original, ours):
    hidden = torch.randn(2, 21, 48)
    with torch.no_grad():
        theirs = original.model(inputs_embeds=hidden, use_cache=False).last_hidden_state
        state = ours.new_state(2)
        pieces = [ours(piece, state) for piece in hidden.split([9, 1, 1, 6, 1, 3], dim=1)]
    assert_close(torch.cat(pieces, dim=1), theirs, atol=1e-5, rtol=1e-5)


def test_a_foreign_tensor_is_named():
    with pytest.raises(CheckpointError, match=r"model\.layers\.0\.self_attn\.q_norm\.weight"):
        from_qwen2({"model.layers.0.self_attn.q_norm.weight": torch.ones(1)})
