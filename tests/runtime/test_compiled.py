"""Compiled code against plain sums, at awkward lengths; the contract suite has the whole step."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mamtra.runtime.torch import cpu_features as compiling
from mamtra.runtime.torch.cpu_features import missing_for_compiled, vector_bits

pytestmark = pytest.mark.skipif(bool(missing_for_compiled()), reason="nothing compiles here")
if missing_for_compiled() is None:
    import numba

    from mamtra.runtime.torch import compiled
    from mamtra.runtime.torch.compiled.arithmetic import LOWEST, exponential
    from mamtra.runtime.torch.int8_kernels import NOTHING, CompiledKernel

RANDOM = np.random.default_rng(0)


def floats(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape, np.float32)


def rounded(vectors: np.ndarray) -> np.ndarray:
    """Each vector on 127 steps to each side, as floats of its own range."""
    steps = np.float32(127) / np.abs(vectors).max(1, keepdims=True)
    return np.rint(vectors * steps) / steps.astype(np.float64)


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 7, 16, 17, 33])
@pytest.mark.parametrize(("outputs", "inputs"), [(1, 1), (127, 5), (130, 641), (4100, 30)])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_product_is_that_of_whole_numbers(rows, outputs, inputs, threads, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    whole = RANDOM.integers(-127, 128, (outputs, inputs)).astype(np.int8)
    kernel = CompiledKernel(torch.from_numpy(whole))
    vectors, factors, total = floats(rows, inputs), floats(rows), floats(rows, outputs)
    scales, bias = np.abs(floats(outputs)), floats(outputs)
    wanted = rounded(vectors) @ whole.T * scales * factors[:, None]
    size, (width, sums) = np.abs(wanted).max(), kernel.shapes(rows)
    room = np.zeros((rows, *width), np.int8), np.empty((rows, *sums), np.int32)
    got = total.copy()
    kernel.write(vectors, factors, (scales, bias), got, room)
    np.testing.assert_allclose(got, wanted + bias, rtol=1e-5, atol=1e-6 * size)
    got = total.copy()
    kernel.write(vectors, factors, (scales, NOTHING), got, room, adds=True)
    np.testing.assert_allclose(got, wanted + total, rtol=1e-5, atol=1e-6 * size)


@pytest.mark.parametrize("bias", [None, torch.rand(300)], ids=["without bias", "with bias"])
def test_a_row_gets_beside_others_what_it_gets_alone_with_any_number_of_threads(monkeypatch, bias):
    kernel = CompiledKernel(torch.randint(-127, 128, (300, 700), dtype=torch.int8))
    scales, vectors = torch.rand(300), torch.randn(31, 700)
    together = kernel.multiply(vectors, scales, bias)
    few = kernel.multiply(vectors[:9], scales, bias)
    assert torch.equal(few, together[:9])
    monkeypatch.setattr(torch, "get_num_threads", lambda: 5)
    for row, vector in enumerate(vectors):
        assert torch.equal(kernel.multiply(vector[None], scales, bias)[0], together[row])


def test_threads_are_those_of_pytorch_and_the_callers_own_afterwards(monkeypatch):
    before = numba.get_num_threads()
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    with compiled.as_many_threads():
        assert numba.get_num_threads() == 1
    assert numba.get_num_threads() == before


def test_code_is_kept_elsewhere_where_a_folder_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(compiled.config, "CACHE_DIR", str(tmp_path / "file"))
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    assert compiled.folder_for_code().is_relative_to(tmp_path / "home")
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "file")
    assert compiled.can_write(compiled.folder_for_code())


def test_e_to_a_power_is_right_to_two_units():
    numbers = np.linspace(LOWEST, -LOWEST, 20_001, dtype=np.float32)
    got = np.array([exponential(number) for number in numbers], np.float64)
    assert np.abs(got / np.exp(numbers.astype(np.float64)) - 1).max() < 2 * 2**-23
    assert exponential(np.float32(-1e9)) < 1e-37


def attended(queries: np.ndarray, keys: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Softmax of queries times keys, times values, for one row; heads share keys in groups."""
    group = len(queries) // len(keys)
    found = []
    for head, query in enumerate(queries.astype(np.float64)):
        scores = keys[head // group] @ query
        weights = np.exp(scores - scores.max())
        found.append(weights @ values[head // group] / weights.sum())
    return np.stack(found)


@pytest.mark.parametrize(("heads", "kv_heads", "width"), [(14, 2, 64), (9, 1, 6), (4, 4, 40)])
@pytest.mark.parametrize(
    "counts", [[1], [7, 8], [9, 1, 127], [128, 129], [1024, 300], [1025, 1153]]
)
def test_attention_at_awkward_lengths(heads, kv_heads, width, counts):
    rows, places, group = len(counts), 1200, heads // kv_heads
    queries = 3 * floats(rows, heads, width)
    keys, values = floats(rows, kv_heads, places, width), floats(rows, kv_heads, places, width)
    for row, count in enumerate(counts):  # what lies behind must not be seen
        keys[row, :, count:] = values[row, :, count:] = 1e9
    packs, spans = -(-group // compiled.QUERIES), -(-places // compiled.SPAN)
    packed = np.zeros((rows, kv_heads, packs, width // 2, compiled.QUERIES, 2), np.float32)
    for head in range(heads):
        pack, query = divmod(head % group, compiled.QUERIES)
        pairs = queries[:, head].reshape(rows, width // 2, 2)
        packed[:, head // group, pack, :, query] = pairs
    marks = np.empty((rows * kv_heads * packs, spans, 2, compiled.QUERIES), np.float32)
    mixed = np.empty((rows * kv_heads * packs, spans, compiled.QUERIES, width), np.float32)
    out, positions = floats(rows, heads, width), np.array(counts) - 1
    compiled.attend(packed, keys, values, positions, marks, mixed, out, 2)
    for row, count in enumerate(counts):
        wanted = attended(queries[row], keys[row, :, :count], values[row, :, :count])
        np.testing.assert_allclose(out[row], wanted, rtol=1e-4, atol=1e-5)


def test_one_score_above_all_others_takes_everything():
    keys = np.zeros((1, 1, 200, 8), np.float32)
    keys[0, 0, 150] = 1e4
    values, out = floats(1, 1, 200, 8), floats(1, 1, 8)
    packed = np.ones((1, 1, 1, 4, compiled.QUERIES, 2), np.float32)
    marks = np.empty((1, 2, 2, compiled.QUERIES), np.float32)
    mixed = np.empty((1, 2, compiled.QUERIES, 8), np.float32)
    compiled.attend(packed, keys, values, np.array([199]), marks, mixed, out, 1)
    np.testing.assert_allclose(out[0, 0], values[0, 0, 150], rtol=1e-6)


def test_what_is_missing_is_said(monkeypatch):
    missing = missing_for_compiled.__wrapped__  # which asks again
    monkeypatch.setattr(compiling, "vector_bits", lambda: 0)
    assert "VNNI" in str(missing())
    monkeypatch.setattr("numba.core.config.DISABLE_JIT", 1)
    assert "unset it" in str(missing())
    monkeypatch.setitem(sys.modules, "numba.core", None)  # which is how an import fails
    assert "does not start here" in str(missing())
    monkeypatch.setattr(compiling, "version", lambda _name: "0.61.2")
    assert "numba 0.61.2 is too old (pip install " in str(missing())
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert "numba is not installed (pip install " in str(missing())


def test_importing_it_leaves_the_number_of_threads_alone():
    lines = (
        "import torch",
        "torch.set_num_threads(1)",
        "import mamtra.runtime.torch.compiled as code",
    )
    script = "; ".join([*lines, "assert torch.get_num_threads() == 1, torch.get_num_threads()"])
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.slow
def test_a_processor_with_narrow_vectors_gets_the_same():
    if vector_bits() != 512:
        pytest.skip("this processor is the narrow one itself")
    from numba.core.codegen import get_host_cpu_features

    features = get_host_cpu_features().replace("+avx512", "-avx512").replace("+amx", "-amx")
    if "+avxvnni" not in features:
        pytest.skip("this processor has 8-bit instructions for wide vectors only")
    here = Path(__file__).parent
    tests = [str(here / "test_compiled.py"), str(here / "test_contract.py")]
    command = [
        sys.executable,
        "-m",
        "pytest",
        *tests,
        "-k",
        "compiled or 8_bit",
        "-p",
        "no:cacheprovider",
    ]
    found = subprocess.run(
        command,
        env={**os.environ, "NUMBA_CPU_FEATURES": features},
        cwd=here.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout[-3000:]
