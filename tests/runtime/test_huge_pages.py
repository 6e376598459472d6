"""Memory for weights: whole, apart, and gone when it is no longer used."""

import gc

import numpy as np
import pytest

from mamtra.runtime.torch.huge_pages import CHUNK, LINE, Pages


def test_pieces_are_zeros_apart_from_each_other_and_begin_at_a_cache_line():
    pages = Pages()
    pieces = [pages.take(count) for count in (1, 100, 5000, 3)]
    assert [piece.size for piece in pieces] == [1, 100, 5000, 3]
    assert not any(piece.any() for piece in pieces)
    for number, piece in enumerate(pieces):
        piece[:] = number
    assert [set(piece.tolist()) for piece in pieces] == [{0}, {1}, {2}, {3}]
    assert {piece.ctypes.data % LINE for piece in pieces} == {0}


def test_a_full_chunk_is_followed_by_another_and_a_large_piece_has_its_own():
    pages = Pages()
    pieces = [pages.take(CHUNK // 2 + 1) for _ in range(3)] + [pages.take(CHUNK + 1)]
    for piece in pieces:
        piece[[0, -1]] = 1
    assert sum(np.shares_memory(a, b) for a in pieces for b in pieces) == len(pieces)


def test_memory_goes_back_with_the_last_piece_of_its_chunk():
    pages = Pages()
    pieces = [pages.take(10), pages.take(10)]
    if pages.chunk is None:
        pytest.skip("this system gives no large pages")
    pieces.pop()
    gc.collect()
    assert pages.chunk() is not None
    pieces.clear()
    gc.collect()
    assert pages.chunk() is None
