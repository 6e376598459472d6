"""8-bit layers against the layers they were made from."""

import pytest
import torch
import torch.nn.functional as F

from mamtra.errors import ConfigError
from mamtra.runtime.torch import int8 as quantize
from mamtra.runtime.torch.cpu_features import missing_for_compiled
from mamtra.runtime.torch.int8 import Int8Linear, round_rows

pytestmark = pytest.mark.skipif(bool(missing_for_compiled()), reason="nothing compiles here")


@pytest.fixture(scope="module")
def weight() -> torch.Tensor:
    return torch.randn(48, 64, generator=torch.Generator().manual_seed(0))


def error(got: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((got - wanted).norm() / wanted.norm())


@pytest.mark.parametrize("shape", [(1, 64), (3, 64), (2, 5, 64), (70, 64)])
def test_products_are_right_to_two_digits(weight, shape):
    hidden, bias = torch.randn(shape), torch.randn(48)
    layer = Int8Linear(weight, bias)
    assert error(layer(hidden), F.linear(hidden, weight, bias)) < 0.015


def test_a_vector_gets_beside_others_what_it_gets_alone(weight):
    hidden = torch.randn(9, 64) * torch.logspace(-3, 3, 9).unsqueeze(1)
    layer = Int8Linear(weight, torch.randn(48))
    together = layer(hidden)
    for row, vector in enumerate(hidden):
        assert torch.equal(layer(vector[None])[0], together[row])


def test_each_row_has_its_own_scale(weight):
    uneven = weight * torch.logspace(-3, 3, 48).unsqueeze(1)
    whole, scales = round_rows(uneven)
    assert whole.abs().amax(1).tolist() == [127] * 48
    back = whole * scales.unsqueeze(1)
    assert float(((back - uneven).norm(dim=1) / uneven.norm(dim=1)).max()) < 0.01


def test_rounding_in_parts_equals_rounding_at_once(weight, monkeypatch):
    at_once = round_rows(weight)
    monkeypatch.setattr(quantize, "BLOCK", 500)
    assert all(torch.equal(a, b) for a, b in zip(at_once, round_rows(weight), strict=True))


def test_zeros_stay_zeros():
    layer = Int8Linear(torch.zeros(16, 32))
    assert torch.equal(layer(torch.randn(2, 32)), torch.zeros(2, 16))
    assert torch.equal(Int8Linear(torch.ones(16, 32))(torch.zeros(1, 32)), torch.zeros(1, 16))


def test_bytes_are_a_quarter_of_float32(weight):
    large = weight.repeat(16, 4)
    assert Int8Linear(large).nbytes < 0.3 * large.nbytes


def test_a_machine_where_nothing_compiles_says_so(weight, monkeypatch):
    monkeypatch.setattr(quantize, "missing_for_compiled", lambda: "numba is not installed")
    with pytest.raises(ConfigError, match="int8 is not possible here: numba is not installed"):
        Int8Linear(weight)


def test_no_vectors_make_no_products(weight):
    assert Int8Linear(weight)(torch.randn(2, 0, 64)).shape == (2, 0, 48)
