"""The gated delta rule in chunks and in kernels, against the recurrence as it is."""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from mamtra.backbone.mixers.delta_rule import (
    chunked_delta_rule,
    fused_delta_rule,
    loop_delta_rule,
    run_delta_rule,
)
from mamtra.errors import MissingExtraError


def inputs(time: int, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """Queries, keys, values, logarithm of the decay, beta, and the state before."""
    random = torch.Generator().manual_seed(time)
    shapes = [(2, time, 3, 4), (2, time, 3, 4), (2, time, 3, 5), (2, time, 3), (2, time, 3)]
    queries, keys, values, fade, beta = (torch.randn(shape, generator=random) for shape in shapes)
    keys = torch.nn.functional.normalize(keys, dim=-1)
    initial = torch.randn(2, 3, 4, 5, generator=random)
    made = [queries, keys, values, -fade.abs(), beta.sigmoid(), initial]
    return [tensor.to(dtype).requires_grad_() for tensor in made]


def test_a_token_replaces_what_its_key_held():
    values = torch.tensor([[1.0, 2.0], [5.0, 6.0]]).view(1, 2, 1, 2)
    keys = torch.tensor([[0.6, 0.8], [0.6, 0.8]]).view(1, 2, 1, 2)
    zeros, ones = torch.zeros(1, 2, 1), torch.ones(1, 2, 1)
    output, _ = loop_delta_rule(keys, keys, values, zeros, ones)
    assert_close(output, values)
    output, _ = loop_delta_rule(keys, keys, values, zeros, ones / 2)
    assert_close(output[0, :, 0], torch.tensor([[0.5, 1.0], [2.75, 3.5]]))


def test_decay_comes_before_the_lookup():
    values = torch.tensor([4.0, 0.0]).view(1, 2, 1, 1)
    keys, share = torch.ones(1, 2, 1, 1), torch.tensor([1.0, 0.5]).view(1, 2, 1)
    fade = torch.tensor([0.0, -0.6931472]).view(1, 2, 1)
    _, memory = loop_delta_rule(keys, keys, values, fade, share)
    assert memory.item() == pytest.approx(1.0)


@pytest.mark.parametrize("time", [1, 2, 31, 32, 33, 64, 65, 100])
def test_chunks_equal_the_loop_in_outputs_and_gradients(time):
    results = []
    for rule in (loop_delta_rule, chunked_delta_rule):
        given = inputs(time)
        output, final = rule(*given)
        weight = torch.linspace(-1, 1, output.numel()).view_as(output)
        (output * weight).sum().add(final.square().sum()).backward()
        results.append([output, final, *(tensor.grad for tensor in given)])
    for expected, got in zip(*results, strict=True):
        assert_close(got, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("chunk", [1, 7, 64])
def test_the_chunk_length_does_not_matter(chunk):
    expected, _ = loop_delta_rule(*inputs(45))
    got, _ = chunked_delta_rule(*inputs(45), chunk=chunk)
    assert_close(got, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("rule", [loop_delta_rule, chunked_delta_rule])
def test_padding_leaves_the_state_alone(rule):
    given = inputs(40)
    real = torch.arange(40) < torch.tensor([[40], [13]])
    _, final = rule(*given, real=real)
    *sequences, initial = given
    _, alone = rule(*(tensor[1:, :13] for tensor in sequences), initial[1:])
    assert_close(final[1:], alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("rule", [loop_delta_rule, chunked_delta_rule])
def test_sixteen_bit_inputs_are_computed_in_float32(rule):
    given = inputs(20, dtype=torch.bfloat16)
    output, final = rule(*given)
    exact, _ = rule(*(tensor.float() for tensor in given))
    assert output.dtype == final.dtype == torch.float32
    assert torch.equal(output, exact)


def test_strong_decay_neither_overflows_nor_gives_nan():
    queries, keys, values, fade, beta, initial = inputs(70)
    output, _ = chunked_delta_rule(queries, keys, values, fade * 200, beta, initial)
    output.sum().backward()
    assert output.isfinite().all()
    assert fade.grad.isfinite().all()


def test_one_token_and_many_take_the_form_that_fits():
    for time in (1, 40):
        for got, expected in zip(
            run_delta_rule(*inputs(time)), loop_delta_rule(*inputs(time)), strict=True
        ):
            assert_close(got, expected, atol=1e-5, rtol=1e-5)


def test_fused_kernels_without_their_package_say_what_to_install():
    try:
        import fla  # noqa: F401
    except ModuleNotFoundError:
        with pytest.raises(MissingExtraError, match=r"pip install .*\[gpu\]'"):
            run_delta_rule(*inputs(4), form="fused")
    else:
        pytest.skip("fla-core is installed")


@pytest.mark.gpu
@pytest.mark.filterwarnings("default")  # kernels of another package may warn as they compile
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("time", [3, 64, 100])
def test_fused_equals_the_loop(time):
    pytest.importorskip("fla")
    given = [tensor.detach().cuda() for tensor in inputs(time)]
    for got, expected in zip(fused_delta_rule(*given), loop_delta_rule(*given), strict=True):
        assert_close(got, expected, atol=2e-2, rtol=2e-2)
