"""Keeps the memory of loading from staying behind.

While a large model is loaded and rounded, each weight exists for a moment as floats. The C library
keeps such blocks when they are freed, in the hope of using them again, and a model of 0.4 GB then
occupies 0.8. With glibc it can be told to give every large block back at once, which costs time
where memory is taken and given all the time, so that is asked for while loading only.
"""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

MMAP_THRESHOLD = -3  # glibc's malloc.h: M_MMAP_THRESHOLD
LOADING_BYTES = 1 << 20  # blocks of this size and more are given back when they are freed
SPEAKING_BYTES = 32 << 20  # the most that glibc would come to by itself


def give_back_from(size: int) -> bool:
    """Let freed blocks of at least this size go back to the system; False where it cannot be."""
    if not sys.platform.startswith("linux"):
        return False
    choose = getattr(ctypes.CDLL(None), "mallopt", None)
    return choose is not None and bool(choose(MMAP_THRESHOLD, size))


def give_back_all() -> None:
    """Give every free page back to the system; does nothing where the C library is not glibc."""
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


@contextmanager
def given_back() -> Iterator[None]:
    """Inside, freed memory goes back to the system; a promise only where the C library is glibc."""
    give_back_from(LOADING_BYTES)
    try:
        yield
    finally:
        give_back_from(SPEAKING_BYTES)
