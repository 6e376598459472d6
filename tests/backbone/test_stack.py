"""Configs of the stack, and what it says when it is used wrongly."""

from dataclasses import asdict, replace

import pytest
import torch
from torch.testing import assert_close

from mamtra.backbone import (
    BackboneConfig,
    GatedDeltaNetConfig,
    MambaConfig,
    Mixer,
    Stack,
    State,
)
from mamtra.backbone.config import KINDS, kind_of
from mamtra.backbone.mixers.attention import Attention
from mamtra.backbone.mixers.mamba import Mamba
from mamtra.backbone.mixers.short_convolution import convolve
from mamtra.backbone.norm import RMSNorm
from mamtra.config import from_dict
from mamtra.errors import ConfigError, LayoutError

SMALL = BackboneConfig(dim=8, layout="AM", query_heads=4, kv_heads=2, head_dim=2, mlp_dim=8)


def test_a_config_is_rebuilt_from_its_dict():
    config = replace(
        SMALL,
        mamba=MambaConfig(gate="open", rotary=True),
        deltanet=GatedDeltaNetConfig(beta_start=0.3),
    )
    assert from_dict(BackboneConfig, asdict(config), "a file") == config


def test_the_papers_mamba_mixer_has_the_papers_parameters():
    mixer = Mamba(896, BackboneConfig().mamba_sizes)
    assert sum(weight.numel() for weight in mixer.parameters()) == 2_657_066
    assert mixer.in_proj.weight.shape == (2062, 896)
    assert mixer.conv1d.weight.shape == (1152, 1, 4)


def test_qwens_attention_has_qwens_parameters():
    mixer = Attention(896, query_heads=14, kv_heads=2, head_dim=64)
    assert sum(weight.numel() for weight in mixer.parameters()) == 1_836_160


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kv_heads": 3}, "query_heads=4 is not a multiple of kv_heads=3"),
        ({"head_dim": 3}, "head_dim=3 must be even"),
        ({"dim": 0}, "dim=0 must be at least 1"),
        (
            {"mamba": {"gates": 1}},
            "unknown key gates in mamba in a file; known: heads, kv_heads",
        ),
        ({"mamba": {"rotary": True, "state_dim": 4}}, "state_dim=4 to equal"),
        ({"mamba": {"kv_heads": 3}}, "heads=4 are not a multiple of their kv_heads=3"),
        ({"deltanet": {"kv_heads": 3}}, "Gated DeltaNet layers' heads=4 are not a multiple"),
        ({"deltanet": {"rotary": True, "state_dim": 4}}, "rotary Gated DeltaNet layers need"),
        ({"deltanet": {"beta_start": 1.0}}, "beta_start=1.0 must lie between 0 and 1"),
        ({"deltanet": {"beta": 1}}, "unknown key beta in deltanet"),
        ({"mamba": {"conv_width": -1}}, "conv_width=-1 must not be negative"),
        ({"width": 3}, "unknown key width in a file; known: dim, layout"),
    ],
)
def test_impossible_configs_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        from_dict(BackboneConfig, {**asdict(SMALL), **change}, "a file")


def test_an_unknown_variant_is_refused():
    config = MambaConfig()
    # the tests' own type check would stop a wrong word at the constructor, a user's program not
    object.__setattr__(config, "gate", "shut")
    with pytest.raises(ConfigError, match="gate='shut' is unknown; possible are silu, open, none"):
        config.__post_init__()


def test_an_unknown_letter_is_refused():
    with pytest.raises(LayoutError, match="'B' at layer 1"):
        replace(SMALL, layout="AB")


def test_every_letter_builds_a_mixer_that_keeps_the_protocol():
    for letter, kind in KINDS.items():
        mixer = kind.build(SMALL)
        assert isinstance(mixer, Mixer)
        assert isinstance(mixer.new_state(2, 3, torch.float32, "cpu"), State)
        if kind.config is not None:
            assert kind_of(kind.variant(SMALL)) == letter


def test_gated_deltanet_starts_so_that_nothing_is_erased():
    config = replace(SMALL, layout="G", deltanet=GatedDeltaNetConfig(beta_start=0.3))
    mixer = Stack(config).layers[0].mixer
    assert_close(torch.sigmoid(mixer.beta_bias), torch.full((4,), 0.3))
    kept = torch.exp(-torch.nn.functional.softplus(mixer.dt_bias) * mixer.A_log.exp())
    half_lives = -0.693147 / kept.log()
    assert_close(half_lives[[0, -1]], torch.tensor([100.0, 1000.0]), rtol=1e-3, atol=0)


def test_a_state_of_another_batch_is_refused():
    stack = Stack(SMALL)
    with pytest.raises(ConfigError, match="the state holds 3 rows and the input 2"):
        stack(torch.zeros(2, 1, 8), stack.new_state(3))


def test_impossible_lengths_are_refused():
    stack = Stack(SMALL)
    with pytest.raises(ConfigError, match="do not fit an input of 2 rows and 4 tokens"):
        stack(torch.zeros(2, 4, 8), stack.new_state(2), torch.tensor([4, 5]))


def test_mambas_start_has_its_published_ranges():
    torch.manual_seed(0)
    mixer = Stack(BackboneConfig(dim=8, layout="M", mlp_dim=8)).layers[0].mixer
    step = torch.nn.functional.softplus(mixer.dt_bias)
    rate = mixer.A_log.exp()
    assert all(0.99e-3 <= value <= 0.101 for value in step)
    assert all(1.0 <= value <= 16.0 for value in rate)


def test_the_long_start_remembers_hundreds_of_tokens():
    config = replace(SMALL, layout="M", mamba=MambaConfig(decay_start="long", decay="group"))
    mixer = Stack(config).layers[0].mixer
    step = torch.nn.functional.softplus(mixer.dt_bias)
    half_lives = 0.693147 / (step * mixer.A_log.exp())
    assert_close(half_lives, torch.tensor([100.0, 1000.0]), rtol=1e-3, atol=0)


def test_an_open_gate_and_an_identity_convolution_let_everything_through():
    config = replace(SMALL, layout="M", mamba=MambaConfig(gate="open", conv_start="identity"))
    mixer = Stack(config).layers[0].mixer
    z = mixer.in_proj(torch.randn(3, 8))[:, :8]
    assert_close(torch.nn.functional.silu(z), torch.ones(3, 8))
    inputs = torch.randn(1, 9, config.mamba_sizes.channels)
    positions = Stack(config).positions_for(torch.zeros(1, 9, 8))
    assert_close(convolve(inputs, mixer.conv1d, positions, None), inputs)


def test_the_norms_own_gradient_is_right():
    torch.manual_seed(0)
    norm = RMSNorm(6, 1e-6)
    torch.nn.init.normal_(norm.weight)
    hidden = torch.randn(2, 5, 6, requires_grad=True)
    weight = torch.randn(2, 5, 6)
    results = []
    for run in (norm, lambda x: torch.nn.functional.rms_norm(x, (6,), norm.weight, 1e-6)):
        output = run(hidden)
        grads = torch.autograd.grad((output * weight).sum(), [hidden, norm.weight])
        results.append([output, *grads])
    for got, wanted in zip(*results, strict=True):
        assert_close(got, wanted, atol=1e-5, rtol=1e-5)
