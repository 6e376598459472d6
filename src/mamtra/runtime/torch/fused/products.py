"""Matrices times one vector per row, with what stands before and behind them in a layer.

Such a product is bound by the bytes of its matrix. So a program loads its rows of the matrix whole,
before it waits for the kernel whose result it needs: while one kernel computes, the next ones load.
Only what no kernel of the same step writes may be loaded early: weights, positions, and what
earlier steps left in the memories.

Vectors between kernels are float32. A norm is worked out by each program for itself, for it costs
less than a kernel.

Axes: o outs of a program (rows of its matrix), c columns of a tile.
"""

from typing import no_type_check

import triton  # pyright: ignore[reportMissingImports]
import triton.language as tl  # pyright: ignore[reportMissingImports]


@triton.jit
@no_type_check
def load_tiles(weight, outs, WIDTH: tl.constexpr, TILE: tl.constexpr):
    """Rows ``outs`` of a matrix, as a tuple of tiles."""
    tiles = ()
    for start in tl.static_range(0, WIDTH, TILE):
        columns = start + tl.arange(0, TILE)
        places = weight + outs[:, None] * WIDTH + columns[None, :]
        if start + TILE <= WIDTH:
            tile = tl.load(places, eviction_policy="evict_first")
        else:
            inside = (columns < WIDTH)[None, :]
            tile = tl.load(places, mask=inside, other=0.0, eviction_policy="evict_first")
        tiles = tiles + (tile,)
    return tiles


@triton.jit
@no_type_check
def load_vector(vector, WIDTH: tl.constexpr, TILE: tl.constexpr):
    """A vector in float32, as a tuple of tiles."""
    parts = ()
    for start in tl.static_range(0, WIDTH, TILE):
        columns = start + tl.arange(0, TILE)
        if start + TILE <= WIDTH:
            part = tl.load(vector + columns)
        else:
            part = tl.load(vector + columns, mask=columns < WIDTH, other=0.0)
        parts = parts + (part.to(tl.float32),)
    return parts


@triton.jit
@no_type_check
def times(tiles, parts, PARTS: tl.constexpr):
    """Tiles of a matrix times the parts of a vector."""
    total = tiles[0].to(tl.float32) * parts[0][None, :]
    for part in tl.static_range(1, PARTS):
        total += tiles[part].to(tl.float32) * parts[part][None, :]
    return tl.sum(total, 1)


@triton.jit
@no_type_check
def normed_times(tiles, scales, parts, eps, WIDTH: tl.constexpr, PARTS: tl.constexpr):
    """Tiles of a matrix times the root-mean-square norm of a vector."""
    squares = parts[0] * parts[0]
    scaled = (parts[0] * scales[0],)
    for part in tl.static_range(1, PARTS):
        squares += parts[part] * parts[part]
        scaled = scaled + (parts[part] * scales[part],)
    return times(tiles, scaled, PARTS) * tl.rsqrt(tl.sum(squares, 0) / WIDTH + eps)


@triton.jit
@no_type_check
def silu(x):
    """``x`` times its sigmoid."""
    return x / (1.0 + tl.exp(-x))


@triton.jit
@no_type_check
def normed_product(
    vectors, scale, weight, bias, out, eps,
    ROWS: tl.constexpr, WIDTH: tl.constexpr, OUTS: tl.constexpr,
    BIASED: tl.constexpr, BLOCK: tl.constexpr, TILE: tl.constexpr, EARLY: tl.constexpr,
):  # fmt: skip
    """``out = weight norm(vector) + bias`` for each row."""
    if EARLY:
        tl.extra.cuda.gdc_launch_dependents()
    PARTS: tl.constexpr = (WIDTH + TILE - 1) // TILE
    outs = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = outs < OUTS
    tiles = load_tiles(weight, tl.minimum(outs, OUTS - 1), WIDTH, TILE)
    scales = load_vector(scale, WIDTH, TILE)
    added = tl.zeros([BLOCK], tl.float32)
    if BIASED:
        added = tl.load(bias + outs, mask=inside, other=0.0).to(tl.float32)
    if EARLY:
        tl.extra.cuda.gdc_wait()
    for row in tl.static_range(ROWS):
        parts = load_vector(vectors + row * WIDTH, WIDTH, TILE)
        result = normed_times(tiles, scales, parts, eps, WIDTH, PARTS) + added
        tl.store(out + row * OUTS + outs, result, mask=inside)


@triton.jit
@no_type_check
def normed_gate_up(
    vectors, scale, weight, out, eps,
    ROWS: tl.constexpr, WIDTH: tl.constexpr, OUTS: tl.constexpr,
    BLOCK: tl.constexpr, TILE: tl.constexpr, EARLY: tl.constexpr,
):  # fmt: skip
    """``out = silu(gate norm(vector)) * (up norm(vector))``; the rows of up lie below gate's."""
    if EARLY:
        tl.extra.cuda.gdc_launch_dependents()
    PARTS: tl.constexpr = (WIDTH + TILE - 1) // TILE
    # a row of gate and its row of up side by side
    pairs = tl.arange(0, 2 * BLOCK)
    own = tl.minimum(tl.program_id(0) * BLOCK + pairs // 2, OUTS - 1)
    tiles = load_tiles(weight, own + (pairs % 2) * OUTS, WIDTH, TILE)
    scales = load_vector(scale, WIDTH, TILE)
    outs = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    if EARLY:
        tl.extra.cuda.gdc_wait()
    for row in tl.static_range(ROWS):
        parts = load_vector(vectors + row * WIDTH, WIDTH, TILE)
        both = normed_times(tiles, scales, parts, eps, WIDTH, PARTS)
        gate, up = tl.split(tl.reshape(both, [BLOCK, 2]))
        tl.store(out + row * OUTS + outs, silu(gate) * up, mask=outs < OUTS)


@triton.jit
@no_type_check
def load_window(window, channel, inside, ROWS: tl.constexpr, CHANNELS: tl.constexpr,
                PAST: tl.constexpr):  # fmt: skip
    """The last inputs of some channels, as a tuple over rows and time."""
    past = ()
    for each in tl.static_range(ROWS * PAST):
        past = past + (tl.load(window + each * CHANNELS + channel, mask=inside, other=0.0),)
    return past


@triton.jit
@no_type_check
def convolved(newest, past, window, taps, taps_bias, channel, inside, row: tl.constexpr,
              CHANNELS: tl.constexpr, PAST: tl.constexpr):  # fmt: skip
    """Some channels mixed with their last inputs; the window of their row moves on."""
    mixed = tl.load(taps_bias + channel, mask=inside, other=0.0).to(tl.float32)
    factors = taps + channel * (PAST + 1)
    factor = tl.load(factors + PAST, mask=inside, other=0.0).to(tl.float32)
    mixed += factor * newest.to(tl.float32)
    for tap in tl.static_range(PAST):
        factor = tl.load(factors + tap, mask=inside, other=0.0).to(tl.float32)
        mixed += factor * past[row * PAST + tap].to(tl.float32)
        place = window + (row * PAST + tap) * CHANNELS + channel
        if tap + 1 < PAST:
            tl.store(place, past[row * PAST + tap + 1], mask=inside)
        else:
            tl.store(place, newest, mask=inside)
    return mixed


@triton.jit
@no_type_check
def normed_convolved(
    vectors, scale, weight, bias, out, eps, window, taps, taps_bias,
    ROWS: tl.constexpr, WIDTH: tl.constexpr, OUTS: tl.constexpr, BIASED: tl.constexpr,
    GATE: tl.constexpr, CHANNELS: tl.constexpr, PAST: tl.constexpr, CONVOLVED: tl.constexpr,
    ACTIVATED: tl.constexpr, BLOCK: tl.constexpr, TILE: tl.constexpr, EARLY: tl.constexpr,
):  # fmt: skip
    """The inward product of a Mamba layer, and the short convolution of its channels.

    Channels are the outs from ``GATE`` on. Each has one program, which reads the last ``PAST``
    inputs from the window and moves it on.
    """
    if EARLY:
        tl.extra.cuda.gdc_launch_dependents()
    PARTS: tl.constexpr = (WIDTH + TILE - 1) // TILE
    outs = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside, channel = outs < OUTS, outs - GATE
    inner = (channel >= 0) & (channel < CHANNELS)
    tiles = load_tiles(weight, tl.minimum(outs, OUTS - 1), WIDTH, TILE)
    scales = load_vector(scale, WIDTH, TILE)
    past = load_window(window, channel, inner, ROWS, CHANNELS, PAST)
    added = tl.zeros([BLOCK], tl.float32)
    if BIASED:
        added = tl.load(bias + outs, mask=inside, other=0.0).to(tl.float32)
    if EARLY:
        tl.extra.cuda.gdc_wait()
    tl.debug_barrier()  # all threads have read the window before one writes it
    for row in tl.static_range(ROWS):
        parts = load_vector(vectors + row * WIDTH, WIDTH, TILE)
        result = normed_times(tiles, scales, parts, eps, WIDTH, PARTS) + added
        mixed = result
        if CONVOLVED:
            newest = result.to(window.dtype.element_ty)
            mixed = convolved(
                newest, past, window, taps, taps_bias, channel, inner, row, CHANNELS, PAST
            )
        if ACTIVATED:
            mixed = silu(mixed)
        tl.store(out + row * OUTS + outs, tl.where(inner, mixed, result), mask=inside)


@triton.jit
@no_type_check
def product_onto(
    vectors, weight, before, after,
    ROWS: tl.constexpr, WIDTH: tl.constexpr, OUTS: tl.constexpr,
    BLOCK: tl.constexpr, TILE: tl.constexpr, EARLY: tl.constexpr,
):  # fmt: skip
    """``after = before + weight vector`` for each row."""
    if EARLY:
        tl.extra.cuda.gdc_launch_dependents()
    PARTS: tl.constexpr = (WIDTH + TILE - 1) // TILE
    outs = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = outs < OUTS
    tiles = load_tiles(weight, tl.minimum(outs, OUTS - 1), WIDTH, TILE)
    if EARLY:
        tl.extra.cuda.gdc_wait()
    for row in tl.static_range(ROWS):
        onto = tl.load(before + row * OUTS + outs, mask=inside, other=0.0)
        parts = load_vector(vectors + row * WIDTH, WIDTH, TILE)
        tl.store(after + row * OUTS + outs, onto + times(tiles, parts, PARTS), mask=inside)
