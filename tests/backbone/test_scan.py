"""The chunked and the fused scan against the recurrence as it is."""

from importlib import metadata

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from mamtra.backbone.mixers import fused_scan as fused_module
from mamtra.backbone.mixers.fused_scan import (
    chosen_scan,
    form_on,
    fused_scan,
    run_scan,
    wrong_release,
)
from mamtra.backbone.mixers.scan import chunked_scan, loop_scan
from mamtra.errors import MissingExtraError


def inputs(time: int, readers: int = 1, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    random = torch.Generator().manual_seed(time)
    shapes = [(2, time, 3, 5), (2, time, 3, 4), (2, time, 3, readers, 4), (2, time, 3)]
    values, writes, reads, fade = (torch.randn(shape, generator=random) for shape in shapes)
    initial = torch.randn(2, 3, 4, 5, generator=random)
    made = [values, writes, reads, -fade.abs(), initial]
    return [tensor.to(dtype).requires_grad_() for tensor in made]


@pytest.mark.parametrize("time", [1, 2, 31, 32, 33, 64, 65, 100])
@pytest.mark.parametrize("readers", [1, 3])
def test_chunks_equal_the_loop_in_outputs_and_gradients(time, readers):
    results = []
    for scan in (loop_scan, chunked_scan):
        given = inputs(time, readers)
        output, final = scan(*given)
        weight = torch.linspace(-1, 1, output.numel()).view_as(output)
        (output * weight).sum().add(final.square().sum()).backward()
        results.append([output, final, *(tensor.grad for tensor in given)])
    for wanted, got in zip(*results, strict=True):
        assert_close(got, wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("chunk", [1, 7, 64])
def test_the_chunk_length_does_not_matter(chunk):
    wanted, _ = loop_scan(*inputs(45))
    got, _ = chunked_scan(*inputs(45), chunk=chunk)
    assert_close(got, wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("scan", [loop_scan, chunked_scan])
def test_padding_leaves_the_state_alone(scan):
    given = inputs(40)
    real = torch.arange(40) < torch.tensor([[40], [13]])
    _, final = scan(*given, real=real)
    *sequences, initial = given
    _, alone = scan(*(tensor[1:, :13] for tensor in sequences), initial[1:])
    assert_close(final[1:], alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("scan", [loop_scan, chunked_scan])
def test_sixteen_bit_inputs_are_scanned_in_float32(scan):
    given = inputs(20, dtype=torch.bfloat16)
    output, final = scan(*given)
    exact, _ = scan(*(tensor.float() for tensor in given))
    assert output.dtype == final.dtype == torch.float32
    assert torch.equal(output, exact)


def test_strong_decay_neither_overflows_nor_gives_nan():
    values, writes, reads, fade, initial = inputs(70)
    output, _ = chunked_scan(values, writes, reads, fade * 200, initial)
    output.sum().backward()
    assert output.isfinite().all()
    assert fade.grad.isfinite().all()


def test_the_choice_is_named_with_its_reason():
    assert chosen_scan("cpu")[0] == "chunked"
    assert "CUDA" in chosen_scan("cpu")[1]
    assert chosen_scan("cpu", "loop") == ("loop", "asked for")
    name, why = chosen_scan("cuda")
    assert name == "chunked"
    assert "half a minute at the first prompt" in why
    assert chosen_scan("cuda", "fused") == ("fused", "asked for")


def test_where_the_kernels_are_a_card_learns_by_them(monkeypatch):
    monkeypatch.setattr(fused_module, "require", lambda module, extra: None)
    assert chosen_scan("cuda", learning=True) == ("fused", "fla-core is installed")
    assert chosen_scan("cuda")[0] == "chunked"
    assert chosen_scan("cpu", learning=True)[0] == "chunked"


def test_fused_kernels_without_their_package_say_what_to_install():
    try:
        import fla  # noqa: F401
    except ModuleNotFoundError:
        with pytest.raises(MissingExtraError, match=r"pip install .*\[gpu\]'"):
            run_scan(*inputs(4), form="fused")
        assert chosen_scan("cuda", learning=True)[0] == "missing"
    else:
        assert chosen_scan("cuda", learning=True)[0] == "fused"


@pytest.mark.parametrize(
    ("version", "capability", "form"),
    [
        ("3.6.0", (9, 0), "chunked"),
        ("3.7.0rc1+cu130", (9, 0), "chunked"),
        ("3.7.1", (9, 0), "fused"),
        ("3.3.1", (9, 0), "fused"),
        ("3.6.0", (8, 0), "fused"),
        (None, (9, 0), "fused"),
    ],
)
def test_nobody_learns_by_gradients_that_are_wrong(monkeypatch, version, capability, form):
    def found(name: str) -> str:
        if version is None:
            raise metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(metadata, "version", found)
    monkeypatch.setattr(fused_module, "wrong_release", wrong_release.__wrapped__)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(fused_module, "require", lambda *names: None)
    assert form_on(torch.device("cuda"), "auto", 9, learning=True) == form
    assert chosen_scan("cuda", learning=True)[0] == form
    assert form_on(torch.device("cuda"), "fused", 9, learning=True) == "fused"  # as asked


@pytest.mark.gpu
@pytest.mark.filterwarnings("default")  # kernels of another package may warn as they compile
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("time", [3, 64, 100])
def test_fused_equals_the_loop(time):
    pytest.importorskip("fla")
    given = [tensor.detach().cuda() for tensor in inputs(time, readers=3)]
    for got, wanted in zip(fused_scan(*given), loop_scan(*given), strict=True):
        assert_close(got, wanted, atol=2e-2, rtol=2e-2)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("time", [3, 100])
def test_a_card_reads_without_the_fused_kernels(monkeypatch, time):
    monkeypatch.setattr(fused_module, "fused_scan", None)
    given = [tensor.detach() for tensor in inputs(time)]
    for got, wanted in zip(
        run_scan(*(each.cuda() for each in given)), loop_scan(*given), strict=True
    ):
        assert_close(got.cpu(), wanted, atol=1e-3, rtol=1e-3)
