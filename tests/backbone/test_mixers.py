"""Each mixer against its own formula, written out once more; the contract only compares forms."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from mamtra.backbone import BackboneConfig, GatedDeltaNetConfig, Stack
from mamtra.backbone.mixers import delta_rule, fused_scan
from mamtra.backbone.mixers.attention import SHORT, attend
from mamtra.backbone.mixers.fused_scan import form_on
from mamtra.backbone.mixers.gated_deltanet import GatedDeltaNet
from mamtra.backbone.mixers.scan import chunked_scan
from mamtra.backbone.norm import normalise

CARD, PROCESSOR = torch.device("cuda"), torch.device("cpu")


def test_training_in_16_bit_attends_as_pytorchs_kernel_does_in_float32():
    torch.manual_seed(1)
    for time in (5, SHORT):
        queries = torch.randn(2, time, 6, 4).bfloat16().requires_grad_()
        keys, values = (torch.randn(2, time, 3, 4).bfloat16() for _ in range(2))
        mixed = F.scaled_dot_product_attention(
            *(part.float().transpose(1, 2) for part in (queries, keys, values)),
            is_causal=True,
            enable_gqa=True,
        )
        found = attend(queries, keys, values)
        assert_close(found.float(), mixed.transpose(1, 2), atol=0.03, rtol=0.03)


def test_gated_deltanet_fades_by_step_times_rate_and_then_corrects_what_a_key_held():
    torch.manual_seed(2)
    config = GatedDeltaNetConfig(heads=1, kv_heads=1, head_dim=3, state_dim=2, conv_width=0)
    mixer = GatedDeltaNet(4, config)
    with torch.no_grad():
        mixer.A_log.fill_(0.7)
        mixer.dt_bias.fill_(-0.3)
    hidden = torch.randn(1, 5, 4)
    stack = Stack(BackboneConfig(dim=4, layout="A", query_heads=2, kv_heads=1, head_dim=2))
    found = mixer(hidden, stack.positions_for(hidden))

    sizes = [*config.sections.values()]
    memory, expected = torch.zeros(2, 3), []
    for token in mixer.in_proj(hidden)[0]:
        z, v, k, q, a, b = token.split(sizes)
        v, k, q = F.silu(v), F.normalize(F.silu(k), dim=0), F.normalize(F.silu(q), dim=0)
        decay = torch.exp(-F.softplus(a + mixer.dt_bias) * mixer.A_log.exp())
        beta = torch.sigmoid(b + mixer.beta_bias)
        memory = decay * memory
        memory = memory + beta * torch.outer(k, v - k @ memory)
        said = q @ memory
        said = said / (said.square().mean() + config.norm_eps).sqrt() * mixer.norm.weight
        expected.append(mixer.out_proj(said * F.silu(z)))
    assert_close(found[0], torch.stack(expected), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("learning", [False, True])
def test_a_recurrence_takes_the_form_that_was_asked_for(learning):
    for device in (CARD, PROCESSOR):
        assert form_on(device, "fused", 9, learning=learning) == "fused"
        assert form_on(device, "fused", 1, learning=learning) == "fused"
        assert form_on(device, "chunked", 9, learning=learning) == "chunked"
        assert form_on(device, "loop", 9, learning=learning) == "loop"
        assert form_on(device, "auto", 1, learning=learning) == "loop"
    assert form_on(PROCESSOR, "auto", 9, learning=learning) == "chunked"
    assert form_on(CARD, "auto", 9, learning=learning) == ("fused" if learning else "chunked")


@pytest.fixture(params=["M", "G"])
def layer(request, monkeypatch) -> tuple[Stack, list[str]]:
    """A recurrent layer that believes to be on a card, and what its fused kernels were called for.

    In 16 bit, since the kernels of the delta rule are not chosen for float32.
    """
    called = list[str]()
    module = {"M": fused_scan, "G": delta_rule}[request.param]
    fused, plain = {
        "M": ("fused_scan", chunked_scan),
        "G": ("fused_delta_rule", delta_rule.chunked_delta_rule),
    }[request.param]

    def form_on_card(device, form, tokens, *, learning):
        return form_on(CARD, form, tokens, learning=learning)

    def kernels(*given):
        called.append(fused)
        return plain(*given)

    monkeypatch.setattr(module, "form_on", form_on_card)
    monkeypatch.setattr(module, fused, kernels)
    sizes = BackboneConfig(
        dim=8, layout=request.param, query_heads=2, kv_heads=1, head_dim=4, mlp_dim=8
    )
    return Stack(sizes).bfloat16(), called


def test_a_layer_on_a_card_learns_by_kernels_that_choose_and_reads_without_them(layer):
    stack, called = layer
    hidden = torch.randn(1, 5, 8).bfloat16()
    stack(hidden).float().sum().backward()
    assert len(called) == 1
    with torch.inference_mode():
        stack(hidden, stack.new_state(1))
    with torch.no_grad():
        stack(hidden)
    stack.requires_grad_(False)
    stack(hidden)
    assert len(called) == 1
    stack(hidden.requires_grad_())  # as beneath layers that learn
    assert len(called) == 2


def test_kernels_that_were_asked_for_read_too(layer):
    stack, called = layer
    mixer = stack.blocks[0].mixer
    mixer.config = replace(mixer.config, scan="fused")
    with torch.inference_mode():
        stack(torch.randn(1, 5, 8).bfloat16(), stack.new_state(1))
    assert len(called) == 1


@pytest.mark.parametrize("batch", [(2, 5), ()])
def test_the_gradient_of_a_norm_by_heads_is_right(batch):
    torch.manual_seed(3)
    hidden = torch.randn(*batch, 3, 4, requires_grad=True)
    weight = torch.randn(3, 4, requires_grad=True)
    upwards = torch.randn(*batch, 3, 4)

    def plain(hidden, weight, eps):
        return weight * hidden * (hidden.square().mean(-1, keepdim=True) + eps).rsqrt()

    results = []
    for run in (normalise, plain):
        output = run(hidden, weight, 1e-6)
        grads = torch.autograd.grad((output * upwards).sum(), [hidden, weight])
        results.append([output, *grads])
    for got, wanted in zip(*results, strict=True):
        assert_close(got, wanted, atol=1e-5, rtol=1e-5)
