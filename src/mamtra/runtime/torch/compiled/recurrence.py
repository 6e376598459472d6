"""One turn of a Mamba layer, from its first product to its last.

Convolution, steps, state, gate and norm in one call; each state is read and written once.

Axes: b rows, h heads, d head width, s state width, c channels.
"""

from typing import no_type_check

import numpy as np
from numba import njit, prange

from mamtra.runtime.torch.compiled.arithmetic import silu, turn_head
from mamtra.runtime.torch.compiled.loops import ANY_ORDER, FUSED, QUICK


@njit(fastmath=FUSED, **QUICK)
@no_type_check
def convolve(inputs, window, taps, with_silu, mix):
    """Mix each channel with its last inputs, remember this one, and bend the result."""
    kept = len(window)
    for c in range(mix.size):
        total = inputs[c]
        if len(taps):
            total = taps[0, c] + taps[kept + 1, c] * inputs[c]
            for tap in range(kept):
                total += taps[tap + 1, c] * window[tap, c]
        mix[c] = silu(total) if with_silu else total
    for tap in range(kept):
        window[tap] = window[tap + 1] if tap + 1 < kept else inputs


@njit(fastmath=ANY_ORDER, **QUICK)
@no_type_check
def recur(state, kept, write, step, x, reads, skips, outs):
    """Fade a state, write into it, and read it as often as it is read.

    Args:
        state: ``s d``; changed in place.
        kept: what part of it stays.
        write: ``s``.
        step: how strongly it is written.
        x: ``d``, what is written.
        reads: ``readers s``.
        skips: ``readers``, how much of x goes past the state.
        outs: ``readers d``; overwritten.
    """
    for reader in range(len(outs)):
        for d in range(x.size):
            outs[reader, d] = skips[reader] * x[d]
    for s in range(len(state)):
        row, strength = state[s], write[s] * step
        for d in range(x.size):
            row[d] = row[d] * kept + strength * x[d]
        for reader in range(len(outs)):
            share = reads[reader, s]
            for d in range(x.size):
                outs[reader, d] += share * row[d]


@njit(fastmath=ANY_ORDER, **QUICK)
@no_type_check
def finish_head(head, gate, weight, eps):
    """Gate a head and normalise it, in place; a gate or weight of length 0 is none."""
    squares = np.float32(0.0)
    for d in range(gate.size):
        head[d] *= silu(gate[d])
    for d in range(head.size):
        squares += head[d] * head[d]
    factor = np.float32(1.0) / np.sqrt(squares / np.float32(head.size) + np.float32(eps))
    for d in range(weight.size):
        head[d] *= factor * weight[d]


@njit(**QUICK)
@no_type_check
def advance_state(index, projected, mix, cosine, sine, numbers, scan, weight, out):
    """One state of one row; the arguments are those of ``advance``."""
    dt_bias, rate, skip, eps = numbers
    states, depth, width = scan.shape[1:]
    row, state = index // states, index % states
    heads, channels = out.shape[1] // width, mix.shape[1]
    kv_heads = (channels - heads * depth) // (width + depth)
    group, readers, mine = state * kv_heads // states, heads // states, mix[row]
    first = state * readers
    x = mine[group * width : (group + 1) * width]
    start = kv_heads * width + group * depth
    write = mine[start : start + depth]
    start = kv_heads * (width + depth) + first * depth
    reads = mine[start : start + readers * depth].reshape(readers, depth)
    if cosine.size:
        at, straight, unturned = row if len(cosine) > 1 else 0, write, reads
        write, reads = np.empty(depth, np.float32), np.empty((readers, depth), np.float32)
        turn_head(straight, cosine[at], sine[at], np.float32(1.0), write)
        for reader in range(readers):
            turn_head(unturned[reader], cosine[at], sine[at], np.float32(1.0), reads[reader])
    dt = projected[row, projected.shape[1] - states + state] + dt_bias[state]
    step = max(dt, np.float32(0.0)) + np.log1p(np.exp(-abs(dt)))  # softplus
    outs = out[row, first * width : (first + readers) * width].reshape(readers, width)
    kept = np.exp(step * rate[state])
    recur(scan[row, state], kept, write, step, x, reads, skip[first : first + readers], outs)
    gates = projected.shape[1] - states - channels
    for reader in range(readers):
        head = first + reader
        gate = projected[row, head * width : min(gates, (head + 1) * width)]
        finish_head(outs[reader], gate, weight[head], eps)


@njit(
    "void(f4[:,::1], f4[:,:,::1], f4[:,::1], b1, f4[:,::1], f4[:,::1], f4[:,::1],"
    " Tuple((f4[::1], f4[::1], f4[::1], f8)), f4[:,:,:,::1], f4[:,::1], f4[:,::1], i8)",
    parallel=True,
    **QUICK,
)
@no_type_check
def advance(
    projected, window, taps, with_silu, mix, cosine, sine, numbers, scan, weight, out, threads
):
    """Move a Mamba layer on by a token, from the projected vectors to those of the last product.

    Args:
        projected: ``b`` rows of z, x, B, C and dt.
        window: ``b taps-1 c``, the last inputs; changed in place.
        taps: ``1+taps c``, the bias first; of length 0 for no convolution.
        with_silu: whether silu follows it.
        mix: ``b c``, room for what comes out of it.
        cosine: ``b s`` to turn B and C, or one row for all; of length 0 not to turn.
        sine: the same.
        numbers: bias of dt and rate of each state, skip of each head, and the norm's eps.
        scan: ``b states s d``; changed in place.
        weight: ``h d``, the norm's; ``h 0`` for none.
        out: ``b h*d``; overwritten.
        threads: how many work.
    """
    rows, channels, states = len(mix), mix.shape[1], scan.shape[1]
    first = projected.shape[1] - states - channels
    for row in range(rows):
        inputs = projected[row, first : first + channels]
        convolve(inputs, window[row], taps, with_silu, mix[row])
    items = rows * states
    for thread in prange(threads):
        for index in range(items * thread // threads, items * (thread + 1) // threads):
            advance_state(index, projected, mix, cosine, sine, numbers, scan, weight, out)
