"""What a step with 8-bit weights needs, compiled for the processor that it runs on.

A large model's weights pass through the caches once for every token and drive all else out of them.
So a step is as fast as memory gives weights, if nothing is in the way; and every small operation in
between costs many times what it would alone, most of all in an interpreter. Here products read at
the speed of memory (products.py), and a few calls do what lies between two of them (arithmetic.py,
attention.py, recurrence.py). numba compiles, at the first import on a machine, which takes some
seconds; later imports find the result on disk, if there is a folder that can be written.

Importing this package imports numba; ../cpu_features.py tells whether that can be done. Every row
of a batch gets, bit for bit, what it would get alone.
"""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import numba
import torch
from llvmlite.binding import get_host_cpu_name
from numba.core import config as numba_config
from numba.core.codegen import get_host_cpu_features

config: Any = numba_config  # which has its attributes from the environment
HERE = Path(__file__).parent


def state() -> str:
    """A name for what is compiled here and for which processor.

    numba looks for kept code by the file that a function is in, and would not see a change in
    another file that it calls, nor that two kinds of processors share a folder.
    """
    files = b"".join(file.read_bytes() for file in sorted(HERE.glob("*.py")))
    features = config.CPU_FEATURES or get_host_cpu_features()
    processor = f"{get_host_cpu_name()} {features} numba {numba.__version__}"
    return "mamtra-" + sha256(files + processor.encode()).hexdigest()[:16]


def can_write(folder: Path) -> bool:
    """Whether files can be made in a folder, which is made if need be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def folder_for_code() -> Path:
    """Where compiled code is kept: beside this file, at the user's, or for this process only."""
    beside = Path(config.CACHE_DIR or HERE / "__pycache__")
    for folder in (beside / state(), Path.home() / ".cache" / "mamtra" / state()):
        if can_write(folder):
            return folder
    return Path(tempfile.mkdtemp(prefix="mamtra-"))


usual, folder = config.CACHE_DIR, folder_for_code()
if not any(folder.rglob("*.nbi")):
    log = logging.getLogger(__name__)
    log.warning("compiling the 8-bit step for this processor, once; this takes some 15 seconds")
config.CACHE_DIR = str(folder)
threads = torch.get_num_threads()
try:
    from mamtra.runtime.torch.compiled.arithmetic import gated, normal
    from mamtra.runtime.torch.compiled.attention import QUERIES, SPAN, attend, store
    from mamtra.runtime.torch.compiled.products import multiply, packed, sums_for
    from mamtra.runtime.torch.compiled.recurrence import advance
finally:
    config.CACHE_DIR = usual
numba.get_num_threads()  # starts its threads, which changes how many OpenMP gives PyTorch
torch.set_num_threads(threads)


@contextmanager
def as_many_threads() -> Iterator[None]:
    """Inside, this thread's compiled code is shared among as many threads as PyTorch's."""
    before = numba.get_num_threads()
    numba.set_num_threads(min(torch.get_num_threads(), config.NUMBA_NUM_THREADS))
    try:
        yield
    finally:
        numba.set_num_threads(before)


__all__ = [
    "QUERIES",
    "SPAN",
    "advance",
    "as_many_threads",
    "attend",
    "gated",
    "multiply",
    "normal",
    "packed",
    "store",
    "sums_for",
]
