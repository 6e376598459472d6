"""Small operations between two products: e to a power, norm, gate, and turning by an angle.

Axes: k numbers of a vector, d head width.
"""

from typing import no_type_check

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from mamtra.runtime.torch.compiled.loops import ANY_ORDER, EXACT, FUSED, QUICK

LOWEST = -87.0  # e to the power of less is no normal float32
LOG2_E = 1.4426950408889634
LN_2_HIGH, LN_2_LOW = 0.693359375, -2.12194440e-4  # of few digits, and the rest
SERIES = (1 / 5040, 1 / 720, 1 / 120, 1 / 24, 1 / 6, 0.5, 1.0, 1.0)  # of e to the power, Taylor's


@intrinsic
@no_type_check
def as_float(_context, _whole):
    """The float32 whose bits are those of a whole number."""

    def write(_context, build, _signature, given):
        return build.bitcast(given[0], EXACT)

    return types.float32(types.int32), write


@njit(**QUICK)
@no_type_check
def exponential(x):
    """E to the power of a float32, right to two units in the last place.

    Two to a whole power times Taylor's series to the seventh power within half a power of two.
    """
    x = min(max(x, np.float32(LOWEST)), np.float32(-LOWEST))
    whole = np.rint(x * np.float32(LOG2_E))
    rest = x - whole * np.float32(LN_2_HIGH)
    rest = rest - whole * np.float32(LN_2_LOW)
    series = np.float32(SERIES[0])
    for term in range(1, len(SERIES)):
        series = series * rest + np.float32(SERIES[term])
    return series * as_float(np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)))


@njit(**QUICK)
@no_type_check
def silu(x):
    """X over one more than e to the power of -x."""
    return x / (np.float32(1.0) + exponential(-x))


@njit(
    "void(f4[:,::1], f4[::1], f8, f4[:,::1], f4[::1])",
    fastmath=ANY_ORDER,
    **QUICK,
)
@no_type_check
def normal(hidden, weight, eps, out, factors):
    """Root-mean-square norm: vectors times weights now, and the factors that they wait for."""
    width = np.float32(weight.size)
    for row in range(len(hidden)):
        squares = np.float32(0.0)
        for k in range(weight.size):
            squares += hidden[row, k] * hidden[row, k]
            out[row, k] = hidden[row, k] * weight[k]
        factors[row] = np.float32(1.0) / np.sqrt(squares / width + np.float32(eps))


@njit("void(f4[:,::1], f4[:,::1])", fastmath=FUSED, **QUICK)
@no_type_check
def gated(wide, out):
    """The first half through silu, times the second."""
    width = out.shape[1]
    for row in range(len(out)):
        for k in range(width):
            out[row, k] = silu(wide[row, k]) * wide[row, width + k]


@njit(fastmath=FUSED, **QUICK)
@no_type_check
def turn_head(head, cosine, sine, scale, out):
    """Turn a head by the angles of its position, and scale it."""
    half = head.size // 2
    for d in range(half):
        first, second = head[d] * scale, head[half + d] * scale
        out[d] = first * cosine[d] + second * sine[d]
        out[half + d] = second * cosine[half + d] + first * sine[half + d]
