"""Weights that a library has allocated, moved into large pages."""

import re
from pathlib import Path

import numpy as np
import pytest

from mamtra.runtime.onnx import huge_pages
from mamtra.runtime.onnx.huge_pages import in_huge_pages, own_memory, without

MB = 1 << 20


def large_page_bytes() -> int:
    """Of this process's memory, as Linux counts it."""
    found = re.findall(r"AnonHugePages:\s+(\d+) kB", Path("/proc/self/smaps").read_text())
    return 1024 * sum(map(int, found))


def blocks_of(count: int) -> list[np.ndarray]:
    """Too small for numpy to ask for large pages by itself, too large for what malloc holds."""
    return [np.full(count, number, np.uint8) for number in range(16)]


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


def test_memory_taken_inside_is_asked_to_move_and_keeps_its_values(monkeypatch):
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
        blocks = blocks_of(3 * MB)
    for block in blocks:
        middle = block.ctypes.data + block.nbytes // 2
        assert {advice for start, end, advice in asked if start <= middle < end} == {
            huge_pages.mmap.MADV_HUGEPAGE,
            huge_pages.COLLAPSE,
        }


def test_linux_moves_it_without_changing_a_byte():
    if not own_memory():
        pytest.skip("this system does not tell where memory lies")
    before = large_page_bytes()
    with in_huge_pages():
        blocks = blocks_of(3 * MB)
    if large_page_bytes() < before + 16 * MB:
        pytest.skip("this system has no large pages to give")
    assert all(np.all(block == number) for number, block in enumerate(blocks))
