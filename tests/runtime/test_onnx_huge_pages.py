"""Weights that a library has allocated, moved into large pages."""

import mmap
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="a graph is made to be opened")
from onnx_toys import open_speech_lm, toy_speech_lm

from mamtra.runtime.onnx import huge_pages, session
from mamtra.runtime.onnx.huge_pages import in_huge_pages, own_memory, without

MB = 1 << 20


def large_page_bytes() -> int:
    """Of this process's memory, as Linux counts it."""
    found = re.findall(r"AnonHugePages:\s+(\d+) kB", Path("/proc/self/smaps").read_text())
    return 1024 * sum(map(int, found))


def new_memory() -> np.ndarray:
    """A stretch of its own, wherever this process has holes, in pages of the usual size."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    block = np.frombuffer(mmap.mmap(-1, 40 * MB, flags=flags), np.uint8)
    block[:] = np.arange(len(block), dtype=np.uint8)
    return block


@pytest.mark.parametrize(
    ("span", "others", "expected"),
    [
        ((10, 20), [], [(10, 20)]),
        ((10, 20), [(0, 10), (20, 30)], [(10, 20)]),
        ((10, 20), [(10, 20)], []),
        ((10, 20), [(0, 30)], []),
        ((10, 20), [(12, 15)], [(10, 12), (15, 20)]),
        ((10, 20), [(5, 12), (15, 16), (18, 25)], [(12, 15), (16, 18)]),
    ],
)
def test_what_was_there_before_is_left_out(span, others, expected):
    assert list(without(span, others)) == expected


def test_memory_taken_inside_is_asked_to_move(monkeypatch):
    if not own_memory():
        pytest.skip("this system does not tell where memory lies")
    asked = []

    class Library:
        def __init__(self, _name):
            pass

        @staticmethod
        def madvise(start, count, advice):
            asked.append((start.value, start.value + count.value, advice))

    monkeypatch.setattr(huge_pages.ctypes, "CDLL", Library)
    with in_huge_pages():
        block = new_memory()
    middle = block.ctypes.data + block.nbytes // 2
    assert {advice for start, end, advice in asked if start <= middle < end} == {
        mmap.MADV_HUGEPAGE,
        huge_pages.COLLAPSE,
    }


def test_linux_moves_it_without_changing_a_byte():
    if not own_memory():
        pytest.skip("this system does not tell where memory lies")
    before = large_page_bytes()
    with in_huge_pages():
        block = new_memory()
    if large_page_bytes() < before + 16 * MB:
        pytest.skip("this system has no large pages to give")
    assert np.array_equal(block, np.arange(len(block), dtype=np.uint8))


@pytest.mark.parametrize(("least", "moved"), [(1, 1), (1 << 60, 0)])
def test_a_session_moves_its_weights_only_where_they_are_large(least, moved, tmp_path, monkeypatch):
    entered = []

    @contextmanager
    def recorded() -> Iterator[None]:
        entered.append(True)
        yield

    monkeypatch.setattr(session, "in_huge_pages", recorded)
    monkeypatch.setattr(session, "LARGE_BYTES", least)
    open_speech_lm(toy_speech_lm("M"), tmp_path)
    assert len(entered) == moved
