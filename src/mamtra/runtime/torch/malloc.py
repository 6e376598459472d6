"""Keeps the memory of loading from staying behind, and that of a long text flat on a CPU.

While a large model is loaded and rounded, each weight exists for a moment as floats. The C library
keeps such blocks when they are freed, in the hope of using them again, and a model of 0.4 GB then
occupies 0.8. With glibc it can be told to give every large block back at once, which costs time
where memory is taken and given all the time, so that is asked for while loading only.

PyTorch's CPU kernels come from oneDNN, which compiles one for each shape of its input and keeps the
last 1,024. Pieces of text have all lengths, so speaking a book filled that cache: 0.5 MB for each
piece of nano's. Few pieces have the same length, so keeping less costs nothing that was measurable.
"""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

MMAP_THRESHOLD = -3  # glibc's malloc.h: M_MMAP_THRESHOLD
LOADING_BYTES = 1 << 20  # blocks of this size and more are given back when they are freed
SPEAKING_BYTES = 32 << 20  # the most that glibc would come to by itself
VARIABLE = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"  # oneDNN reads it when its first kernel is made
CAPACITY = 64  # enough for all layers of one piece of nano


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


def bound_kernel_cache() -> None:
    """Let oneDNN keep few kernels, unless the environment says otherwise.

    Has no effect in a process where a convolution was computed before.
    """
    os.environ.setdefault(VARIABLE, str(CAPACITY))
