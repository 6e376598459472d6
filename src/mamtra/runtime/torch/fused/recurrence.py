"""One turn of a Mamba layer's recurrence, one program for each state.

Letters follow the Mamba paper, see ``backbone/mixers/mamba.py``: the state fades, B writes x into
it, every reader takes its C out of it; skip, gate and norm follow per head. The state is float32
and changed where it lies.

Axes: s state width, w head width.
"""

from typing import no_type_check

import triton  # pyright: ignore[reportMissingImports]
import triton.language as tl  # pyright: ignore[reportMissingImports]

from mamtra.runtime.torch.fused.products import silu


@triton.jit
@no_type_check
def softplus(x):
    """``log(1 + exp(x))``, exact for a large negative ``x`` as well."""
    power = tl.exp(tl.minimum(x, 20.0))
    above = 1.0 + power
    # what rounding took from 1 + power is put back by the quotient
    exact = tl.where(above == 1.0, power, tl.log(above) * (power / (above - 1.0)))
    return tl.where(x > 20.0, x, exact)


@triton.jit
@no_type_check
def scan_step(
    inward, scan, dt_bias, rate, skip, scale, out, eps,
    OUTS: tl.constexpr, GATE: tl.constexpr, STATES: tl.constexpr, KV_HEADS: tl.constexpr,
    READERS: tl.constexpr, STATE_WIDTH: tl.constexpr, WIDTH: tl.constexpr,
    STATE_BLOCK: tl.constexpr, WIDTH_BLOCK: tl.constexpr,
    NORMED: tl.constexpr, EARLY: tl.constexpr,
):  # fmt: skip
    """Move one state of a row on, and let its heads read it.

    ``inward`` holds z, x, B, C and dt of each row side by side; without a gate ``GATE`` is 0.
    """
    if EARLY:
        tl.extra.cuda.gdc_launch_dependents()
    state, row = tl.program_id(0), tl.program_id(1)
    inward += row * OUTS
    s, w = tl.arange(0, STATE_BLOCK), tl.arange(0, WIDTH_BLOCK)
    high, wide = s < STATE_WIDTH, w < WIDTH
    place = scan + (row * STATES + state) * STATE_WIDTH * WIDTH
    place = place + s[:, None] * WIDTH + w[None, :]
    inside = high[:, None] & wide[None, :]
    memory = tl.load(place, mask=inside, other=0.0)
    kv_head = state // (STATES // KV_HEADS)
    values = inward + GATE
    writes = values + KV_HEADS * WIDTH
    reads = writes + KV_HEADS * STATE_WIDTH
    steps = reads + STATES * READERS * STATE_WIDTH
    own_bias, own_rate = tl.load(dt_bias + state), tl.load(rate + state)
    if EARLY:
        tl.extra.cuda.gdc_wait()
    x = tl.load(values + kv_head * WIDTH + w, mask=wide, other=0.0)
    B = tl.load(writes + kv_head * STATE_WIDTH + s, mask=high, other=0.0)
    step = softplus(tl.load(steps + state) + own_bias)
    memory = memory * tl.exp(step * own_rate) + B[:, None] * (x * step)[None, :]
    tl.debug_barrier()  # all threads have read the state before one writes it
    tl.store(place, memory, mask=inside)
    for reader in tl.static_range(READERS):
        head = state * READERS + reader
        C = tl.load(reads + head * STATE_WIDTH + s, mask=high, other=0.0)
        y = tl.sum(C[:, None] * memory, 0) + tl.load(skip + head) * x
        if GATE:
            y *= silu(tl.load(inward + head * WIDTH + w, mask=wide, other=0.0))
        if NORMED:
            y *= tl.rsqrt(tl.sum(y * y, 0) / WIDTH + eps)
            y *= tl.load(scale + head * WIDTH + w, mask=wide, other=0.0).to(tl.float32)
        tl.store(out + (row * STATES * READERS + head) * WIDTH + w, y, mask=wide)
