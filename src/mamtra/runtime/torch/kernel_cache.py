"""Keeps the memory of a long text flat on a CPU.

PyTorch's CPU kernels come from oneDNN, which compiles one for each shape of its input and keeps the
last 1,024. Pieces of text have all lengths, so speaking a book filled that cache: 0.5 MB for each
piece of nano's. Few pieces have the same length, so keeping less costs nothing that was measurable.
"""

import os

VARIABLE = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"  # oneDNN reads it when its first kernel is made
CAPACITY = 64  # enough for all layers of one piece of nano


def bound_kernel_cache() -> None:
    """Let oneDNN keep few kernels, unless the environment says otherwise.

    Has no effect in a process where a convolution was computed before.
    """
    os.environ.setdefault(VARIABLE, str(CAPACITY))
