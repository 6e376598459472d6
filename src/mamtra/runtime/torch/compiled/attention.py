"""Attention of one query per row and head to all that is stored, at the speed of memory.

Keys and values of a key/value head are read once for all of its queries. Places are cut into spans
of a fixed length; each thread takes some spans, and what a query finds in each is put together at
the end (as in FlashDecoding). Where a row is cut does not depend on its neighbours.

Axes: b rows, h heads, k key/value heads, d head width; a pack is eight queries of a key/value head.
"""

from typing import no_type_check

import numpy as np
from numba import njit, prange

from mamtra.runtime.torch.compiled.arithmetic import exponential, turn_head
from mamtra.runtime.torch.compiled.attention_loops import (
    COLUMNS,
    PLACES,
    QUERIES,
    WIDE,
    one_column_block,
    one_place,
    some_places,
    two_column_blocks,
    weigh,
)
from mamtra.runtime.torch.compiled.loops import FUSED, QUICK

SPAN = 1024  # places; each is put together with the others at the end
PIECE = 128  # places of a span whose weights lie in the nearest cache


@njit(
    "void(f4[:,::1], f4[:,::1], f4[:,::1], f8, i8[::1], f4[:,:,:,:,:,::1], f4[:,:,:,::1],"
    " f4[:,:,:,::1], i8)",
    **QUICK,
)
@no_type_check
def store(projected, cosine, sine, scale, positions, queries, keys, values, heads):
    """Turn and scale the queries, turn the keys, and put keys and values where they belong.

    Args:
        projected: ``b (h+2k)*d``: queries, keys and values.
        cosine: ``b d``, or one row for all.
        sine: the same.
        scale: of the queries.
        positions: of the rows.
        queries: ``b k packs d/2 8 2``; overwritten but for those that no head has.
        keys: ``b k places d``.
        values: the same.
        heads: of the queries.
    """
    kv_heads, width = keys.shape[1], keys.shape[3]
    group, turned = heads // kv_heads, np.empty(width, np.float32)
    for row in range(len(queries)):
        at, place = row if len(cosine) > 1 else 0, positions[row]
        sides = projected[row].reshape(-1, width)
        for head in range(heads):
            turn_head(sides[head], cosine[at], sine[at], np.float32(scale), turned)
            pack, query = divmod(head % group, QUERIES)
            for d in range(width):
                queries[row, head // group, pack, d // 2, query, d % 2] = turned[d]
        for head in range(kv_heads):
            key = keys[row, head, place]
            turn_head(sides[heads + head], cosine[at], sine[at], np.float32(1.0), key)
            values[row, head, place] = sides[heads + kv_heads + head]


@njit(fastmath=FUSED, **QUICK)
@no_type_check
def attend_piece(queries, keys, values, weights, largest, total, mixed):
    """Attention of eight queries to a piece of a span.

    Args:
        queries: ``d/2 8 2``.
        keys: ``places d``.
        values: the same.
        weights: ``places 8``, room for the weights, and behind it for a row more.
        largest: ``8``; overwritten with the largest scores.
        total: ``8``; overwritten with the sums of the weights, each over that of the largest.
        mixed: ``8 d``; overwritten with the weighed values.
    """
    places, width = keys.shape
    largest[:] = -np.inf
    high, place = largest.ctypes.data, 0
    while place < places:
        key, value = keys[place:].ctypes.data, values[place:].ctypes.data
        score = weights[place:].ctypes.data
        if place + PLACES <= places:
            some_places(key, value, queries.ctypes.data, score, high, width)
            place += PLACES
        else:
            one_place(key, value, queries.ctypes.data, score, high, width)
            place += 1
    weigh(weights.ctypes.data, high, places)
    total[:] = 0.0
    for place in range(places):
        for query in range(QUERIES):
            total[query] += weights[place, query]
    column, columns = 0, width - width % COLUMNS
    while column < columns:
        value, out = values[0, column:].ctypes.data, mixed[0, column:].ctypes.data
        later = keys[0, column:].ctypes.data + places * width * keys.itemsize
        if WIDE and column + 2 * COLUMNS <= columns:
            two_column_blocks(value, later, weights.ctypes.data, out, width, places)
            column += 2 * COLUMNS
        else:
            one_column_block(value, later, weights.ctypes.data, out, width, places)
            column += COLUMNS
    for query in range(QUERIES):
        for column in range(columns, width):
            weighed = np.float32(0.0)
            for place in range(places):
                weighed += weights[place, query] * values[place, column]
            mixed[query, column] = weighed


@njit(fastmath=FUSED, **QUICK)
@no_type_check
def attend_span(queries, keys, values, weights, marks, mixed):
    """Attention of eight queries to a span, piece by piece.

    Args:
        queries: ``d/2 8 2``.
        keys: ``places d``.
        values: the same.
        weights: ``128 8``, room for the weights of a piece.
        marks: ``2 8``; overwritten with the largest scores and the sums of the weights.
        mixed: ``8 d``; overwritten with the weighed values.
    """
    found_marks, found = np.empty(marks.shape, np.float32), np.empty(mixed.shape, np.float32)
    marks[0], marks[1], mixed[:] = -np.inf, 0.0, 0.0
    for first in range(0, len(keys), PIECE):
        key, value = keys[first : first + PIECE], values[first : first + PIECE]
        attend_piece(queries, key, value, weights, found_marks[0], found_marks[1], found)
        for query in range(QUERIES):
            highest = max(marks[0, query], found_marks[0, query])
            before = exponential(marks[0, query] - highest)
            share = exponential(found_marks[0, query] - highest)
            marks[0, query] = highest
            marks[1, query] = before * marks[1, query] + share * found_marks[1, query]
            for d in range(mixed.shape[1]):
                mixed[query, d] = before * mixed[query, d] + share * found[query, d]


@njit(fastmath=FUSED, **QUICK)
@no_type_check
def join_spans(spans, marks, mixed, query, out):
    """Put together what a query found in each span."""
    highest = np.float32(-np.inf)
    for span in range(spans):
        highest = max(highest, marks[span, 0, query])
    out[:] = 0.0
    weight = np.float32(0.0)
    for span in range(spans):
        share = exponential(marks[span, 0, query] - highest)
        weight += share * marks[span, 1, query]
        for d in range(out.size):
            out[d] += share * mixed[span, query, d]
    for d in range(out.size):
        out[d] /= weight


@njit(
    "void(f4[:,:,:,:,:,::1], f4[:,:,:,::1], f4[:,:,:,::1], i8[::1], f4[:,:,:,::1],"
    " f4[:,:,:,::1], f4[:,:,::1], i8)",
    parallel=True,
    **QUICK,
)
@no_type_check
def attend(queries, keys, values, positions, marks, mixed, out, threads):
    """Attention of one query for each row and head to all places up to its row's.

    Args:
        queries: ``b k packs d/2 8 2``; scaled.
        keys: ``b k places d``.
        values: the same.
        positions: of the rows.
        marks: ``b*k*packs spans 2 8``, room for the largest score and the total of each span.
        mixed: ``b*k*packs spans 8 d``, room for the weighed values of each span.
        out: ``b h d``; overwritten.
        threads: how many work.
    """
    rows, kv_heads, packs = queries.shape[:3]
    heads, furthest = out.shape[1], positions[0]
    for row in range(1, rows):
        furthest = max(furthest, positions[row])
    spans = furthest // SPAN + 1
    items = rows * kv_heads * packs * spans
    for thread in prange(threads):
        weights = np.empty((PIECE, QUERIES), np.float32)
        for item in range(items * thread // threads, items * (thread + 1) // threads):
            group, span = item // spans, item % spans
            row, head = group // (kv_heads * packs), group // packs % kv_heads
            first, last = span * SPAN, min((span + 1) * SPAN, positions[row] + 1)
            if first < last:
                attend_span(
                    queries[row, head, group % packs],
                    keys[row, head, first:last],
                    values[row, head, first:last],
                    weights,
                    marks[group, span],
                    mixed[group, span],
                )
    for row in range(rows):
        for head in range(heads):
            query = head % (heads // kv_heads)
            group = (row * kv_heads + head // (heads // kv_heads)) * packs + query // QUERIES
            found, query = positions[row] // SPAN + 1, query % QUERIES
            join_spans(found, marks[group], mixed[group], query, out[row, head])
