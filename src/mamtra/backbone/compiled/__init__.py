"""What a step with 8-bit weights needs, compiled for the processor that it runs on.

A large model's weights pass through the caches once for every token and drive all else out of them.
So a step is as fast as memory gives weights, if nothing is in the way; and every small operation in
between costs many times what it would alone, most of all in an interpreter. Here products read at
the speed of memory (products.py), and what lies between two of them is one call (arithmetic.py,
attention.py, recurrence.py). numba compiles, at the first import on a machine, which takes some
seconds; later imports find the result on disk.

Importing this package imports numba; ../compiling.py tells whether that can be done. Every row of a
batch gets, bit for bit, what it would get alone.
"""

import logging
from hashlib import sha256
from pathlib import Path
from typing import Any

import numba
import torch
from numba.core import config as numba_config

# numba looks for kept code by the file that a function is in, and would not see a change in another
# file that it calls. A folder of its own for each state of all files settles that; where it cannot
# be made, numba keeps its code where it always does.
HERE = Path(__file__).parent
STATE = sha256(b"".join(file.read_bytes() for file in sorted(HERE.glob("*.py")))).hexdigest()[:16]
config: Any = numba_config  # which has its attributes from the environment
usual = config.CACHE_DIR
folder = Path(usual or HERE / "__pycache__") / f"mamtra-{STATE}"
try:
    folder.mkdir(parents=True)
    log = logging.getLogger(__name__)
    log.warning("compiling 8-bit products for this processor, once; this takes some 15 seconds")
except OSError:
    pass  # it is there, or will be elsewhere
config.CACHE_DIR = str(folder)
threads = torch.get_num_threads()
try:
    from mamtra.backbone.compiled.arithmetic import gated, normal
    from mamtra.backbone.compiled.attention import QUERIES, SPAN, attend, store
    from mamtra.backbone.compiled.products import multiply, packed, sums_for
    from mamtra.backbone.compiled.recurrence import advance
finally:
    config.CACHE_DIR = usual
numba.get_num_threads()  # starts its threads, which changes how many OpenMP gives PyTorch
torch.set_num_threads(threads)

__all__ = [
    "QUERIES",
    "SPAN",
    "advance",
    "attend",
    "gated",
    "multiply",
    "normal",
    "packed",
    "store",
    "sums_for",
]
