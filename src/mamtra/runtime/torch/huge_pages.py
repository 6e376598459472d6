"""Memory in large pages, for weights that are read from end to end for every token.

A processor looks up where each page of memory lies. With pages of 4 kB that is a lookup for every
few microseconds of reading; with pages of 2 MB, which Linux gives to memory that asks for them, it
hardly ever is. Large pages must be whole, so layers share chunks that are much larger than a layer.
"""

import contextlib
import mmap
import threading
import weakref

import numpy as np

CHUNK = 128 << 20  # bytes of addresses; only what is written to becomes memory
PAGE = 2 << 20  # bytes of a large page
LINE = 64  # bytes that come from memory at once


class Pages:
    """Hands out memory. A chunk lives as long as anything that was cut from it."""

    def __init__(self) -> None:
        self.chunk: weakref.ref[mmap.mmap] | None = None
        self.used = 0
        self.lock = threading.Lock()

    def opened(self, count: int) -> mmap.mmap:
        """A new chunk with room for so many bytes behind the start of its first large page."""
        kind = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        chunk = mmap.mmap(-1, max(count, CHUNK) + PAGE, flags=kind)
        with contextlib.suppress(OSError):  # a kernel that was built without them
            chunk.madvise(mmap.MADV_HUGEPAGE)
        self.chunk = weakref.ref(chunk)
        self.used = -np.frombuffer(chunk, np.uint8).ctypes.data % PAGE
        return chunk

    def take(self, count: int) -> np.ndarray:
        """So many bytes, zeros, at the start of a cache line."""
        if not hasattr(mmap, "MADV_HUGEPAGE"):  # this system gives no large pages
            return np.zeros(count, np.uint8)
        with self.lock:
            chunk = self.chunk() if self.chunk else None
            if chunk is None or self.used + count > len(chunk):
                chunk = self.opened(count)
            taken = np.frombuffer(chunk, np.uint8, count, self.used)
            self.used += -(-count // LINE) * LINE
        return taken


PAGES = Pages()
