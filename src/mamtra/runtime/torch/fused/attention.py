"""Attention of one token per row to everything stored, cut into splits that run side by side.

A program sees one split of a row's positions for one key/value head, whose stored keys and values
it reads once for all query heads that share them. It turns queries and the new key by the angles of
their position; the program whose split holds that position stores key and value there. What the
splits saw is joined, each weighed by how much of the softmax it holds: its largest score
(``peaks``, to the base of two) and its sum (``sums``).

Axes: g query heads of a key/value head, p positions of a tile, d head width.
"""

from typing import no_type_check

import triton  # pyright: ignore[reportMissingImports]
import triton.language as tl  # pyright: ignore[reportMissingImports]


@triton.jit
@no_type_check
def turned(heads, cosine, sine, d, mask, WIDTH: tl.constexpr):
    """Heads rotated by an angle for each number; ``sine`` has its first half negated."""
    own = tl.load(heads + d, mask=mask, other=0.0)
    swapped = tl.load(heads + (d + WIDTH // 2) % WIDTH, mask=mask, other=0.0)
    return own * cosine + swapped * sine


@triton.jit
@no_type_check
def load_stored(memory, stored, position, d, WIDTH: tl.constexpr):
    """Keys or values at these positions that earlier steps have stored; zeros elsewhere."""
    before = (stored < position)[:, None] & (d < WIDTH)[None, :]
    return tl.load(memory + stored[:, None] * WIDTH + d[None, :], mask=before, other=0.0)


@triton.jit
@no_type_check
def seen(queries, keys, values, key, value, stored, position, TYPE: tl.constexpr):
    """Peak and sum of the softmax over a tile with the new key in its place, and what it mixes."""
    newest = (stored == position)[:, None]
    keys = tl.where(newest, key[None, :], keys).to(TYPE)
    values = tl.where(newest, value[None, :], values).to(TYPE)
    scores = tl.dot(queries, tl.trans(keys), input_precision="ieee")
    scores = tl.where((stored <= position)[None, :], scores, float("-inf"))
    peak = tl.max(scores, 1)
    weights = tl.exp2(scores - peak[:, None])
    mixed = tl.dot(weights.to(TYPE), values, input_precision="ieee")
    return peak, tl.sum(weights, 1), mixed


@triton.jit
@no_type_check
def together(peak, total, mixed, next_peak, next_total, next_mixed):
    """Two tiles as one."""
    higher = tl.maximum(peak, next_peak)
    fade, next_fade = tl.exp2(peak - higher), tl.exp2(next_peak - higher)
    total = total * fade + next_total * next_fade
    return higher, total, mixed * fade[:, None] + next_mixed * next_fade[:, None]


@triton.jit
@no_type_check
def further(
    peak, total, mixed, queries, keys, values, key, value, stored, position, d,
    WIDTH: tl.constexpr, TYPE: tl.constexpr,
):  # fmt: skip
    """What a split has seen, with one tile more."""
    key_tile = load_stored(keys, stored, position, d, WIDTH)
    value_tile = load_stored(values, stored, position, d, WIDTH)
    next_peak, next_total, next_mixed = seen(
        queries, key_tile, value_tile, key, value, stored, position, TYPE
    )
    return together(peak, total, mixed, next_peak, next_total, next_mixed)


@triton.jit
@no_type_check
def store_part(attended, peaks, sums, head, d, peak, total, mixed, real, WIDTH: tl.constexpr):
    """Write what a split saw, for its heads that are ``real``."""
    tl.store(peaks + head, peak, mask=real)
    tl.store(sums + head, total, mask=real)
    places = attended + head[:, None] * WIDTH + d[None, :]
    tl.store(places, mixed, mask=real[:, None] & (d < WIDTH)[None, :])


@triton.jit
@no_type_check
def attend(
    projected, cosines, sines, keys, values, positions, attended, peaks, sums,
    row_stride, head_stride, scale,
    HEADS: tl.constexpr, KV_HEADS: tl.constexpr, WIDTH: tl.constexpr, WIDTH_BLOCK: tl.constexpr,
    GROUP_BLOCK: tl.constexpr, SPLITS: tl.constexpr, SPLIT: tl.constexpr,
    TILE: tl.constexpr, TYPE: tl.constexpr, EARLY: tl.constexpr,
):  # fmt: skip
    """Let the new token of a row look at one split of its positions, its own included.

    ``scale`` multiplies scores and has the logarithm of e to the base of two in it. Products are
    computed in ``TYPE``, all else in float32.
    """
    if EARLY:
        tl.extra.cuda.gdc_launch_dependents()
    GROUP: tl.constexpr = HEADS // KV_HEADS
    kv_head, split, row = tl.program_id(0) // SPLITS, tl.program_id(0) % SPLITS, tl.program_id(1)
    position, first = tl.load(positions + row).to(tl.int32), split * SPLIT
    if first <= position:
        d, group = tl.arange(0, WIDTH_BLOCK), tl.arange(0, GROUP_BLOCK)
        wide = d < WIDTH
        keys += row.to(tl.int64) * row_stride + kv_head * head_stride
        values += row.to(tl.int64) * row_stride + kv_head * head_stride
        stored = first + tl.arange(0, TILE)
        key_tile = load_stored(keys, stored, position, d, WIDTH)
        value_tile = load_stored(values, stored, position, d, WIDTH)
        cosine = tl.load(cosines + position * WIDTH + d, mask=wide, other=0.0)
        sine = tl.load(sines + position * WIDTH + d, mask=wide, other=0.0)
        if EARLY:
            tl.extra.cuda.gdc_wait()
        own = projected + row * (HEADS + 2 * KV_HEADS) * WIDTH
        group_heads = own + (kv_head * GROUP + group)[:, None] * WIDTH
        mask = (group < GROUP)[:, None] & wide[None, :]
        queries = turned(group_heads, cosine[None, :], sine[None, :], d[None, :], mask, WIDTH)
        queries = (queries * scale).to(TYPE)
        new_key = own + (HEADS + kv_head) * WIDTH
        key = turned(new_key, cosine, sine, d, wide, WIDTH).to(keys.dtype.element_ty)
        new_value = own + (HEADS + KV_HEADS + kv_head) * WIDTH + d
        value = tl.load(new_value, mask=wide, other=0.0).to(values.dtype.element_ty)
        here = d < tl.where(position < first + SPLIT, WIDTH, 0)
        tl.store(keys + position * WIDTH + d, key, mask=here)
        tl.store(values + position * WIDTH + d, value, mask=here)

        peak, total, mixed = seen(queries, key_tile, value_tile, key, value, stored, position, TYPE)
        for start in range(first + TILE, tl.minimum(first + SPLIT, position + 1), TILE):
            stored = start + tl.arange(0, TILE)
            peak, total, mixed = further(
                peak, total, mixed, queries, keys, values, key, value, stored, position, d,
                WIDTH, TYPE,
            )  # fmt: skip
        head = (row * SPLITS + split) * HEADS + kv_head * GROUP + group
        store_part(attended, peaks, sums, head, d, peak, total, mixed, group < GROUP, WIDTH)


@triton.jit
@no_type_check
def join(
    attended, peaks, sums, positions, out,
    HEADS: tl.constexpr, WIDTH: tl.constexpr, WIDTH_BLOCK: tl.constexpr,
    SPLITS: tl.constexpr, SPLIT: tl.constexpr, EARLY: tl.constexpr,
):  # fmt: skip
    """Write what a head of a row says, of the parts that its splits saw."""
    if EARLY:
        tl.extra.cuda.gdc_launch_dependents()
    head, row = tl.program_id(0), tl.program_id(1)
    split, d = tl.arange(0, SPLITS), tl.arange(0, WIDTH_BLOCK)
    wide = d < WIDTH
    used = split < tl.load(positions + row).to(tl.int32) // SPLIT + 1
    places = (row * SPLITS + split) * HEADS + head
    if EARLY:
        tl.extra.cuda.gdc_wait()
    peak = tl.load(peaks + places, mask=used, other=float("-inf"))
    total = tl.load(sums + places, mask=used, other=0.0)
    inside = used[:, None] & wide[None, :]
    said = tl.load(attended + places[:, None] * WIDTH + d[None, :], mask=inside, other=0.0)
    share = tl.exp2(peak - tl.max(peak, 0))
    joined = tl.sum(share[:, None] * said, 0) / tl.sum(share * total, 0)
    tl.store(out + (row * HEADS + head) * WIDTH + d, joined, mask=wide)
