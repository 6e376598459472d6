"""Puts memory that a library has taken for weights into large pages.

A processor looks up where each page of memory lies. A step reads hundreds of megabytes of weights
from end to end, and with pages of 4 kB those lookups cost as much as the reading. onnxruntime has
no option for pages of 2 MB, but Linux moves memory into them when it is asked to (``madvise``:
MADV_COLLAPSE, since Linux 6.1; older ones get to it in the background).
"""

import ctypes
import mmap
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

MAPS = Path("/proc/self/maps")
COLLAPSE = 25  # linux/mman.h: MADV_COLLAPSE, which Python has no name for
LEAST_BYTES = 16 << 20  # of a stretch; what is smaller may be the stack of a thread
ANONYMOUS = re.compile(r"([0-9a-f]+)-([0-9a-f]+) rw-p \S+ \S+ 0\s+(?:\[heap\])?\n")

Span = tuple[int, int]


def own_memory() -> list[Span]:
    """First and last address of every stretch that belongs to no file; none where not on Linux."""
    if not hasattr(mmap, "MADV_HUGEPAGE") or not MAPS.exists():
        return []
    found = ANONYMOUS.finditer(MAPS.read_text())
    return [(int(start, 16), int(end, 16)) for start, end in (entry.groups() for entry in found)]


def without(span: Span, others: Iterable[Span]) -> Iterator[Span]:
    """The parts of a stretch that overlap none of the others, which are in order."""
    start, end = span
    for other_start, other_end in others:
        if other_end <= start or other_start >= end:
            continue
        if other_start > start:
            yield start, other_start
        start = max(start, other_end)
    if start < end:
        yield start, end


@contextmanager
def in_huge_pages() -> Iterator[None]:
    """What is taken inside and still held at the end lies in large pages, where Linux can do so."""
    before = own_memory()
    yield
    new = [part for span in own_memory() for part in without(span, before)]
    advise = getattr(ctypes.CDLL(None), "madvise", None) if new else None
    if advise is None:
        return
    for start, end in new:
        if end - start < LEAST_BYTES:
            continue
        # a system that refuses leaves the memory as it is: slower, and nothing else
        for advice in (mmap.MADV_HUGEPAGE, COLLAPSE):
            advise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), advice)
