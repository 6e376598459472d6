"""Products of vectors with 8-bit weights, at the speed at which memory gives the weights.

PyTorch's own products of one vector read them at three quarters of that speed. Here weights lie in
the order in which they are read and are asked for ahead of time, and all threads have equal shares.
VNNI is an x86 instruction that multiplies four pairs of 8-bit numbers and adds them up in 32 bit.

The instruction takes one number with a sign and one without, so 128 is added to every weight, and
128 times the sum of a vector is taken away from its results. All sums are of whole numbers: their
order, and with it the number of rows or threads, changes no bit.

    weights     blocks of 128 outputs, fours of inputs, outputs of a block, 4 inputs
    sums        rows, parts of the inputs, outputs

Axes: k inputs, n outputs.
"""

from typing import no_type_check

import numpy as np
from llvmlite import ir
from numba import njit, prange, types
from numba.extending import intrinsic

from mamtra.runtime.torch.compiled.loops import (
    AT,
    COUNT,
    FOUR,
    FUSED,
    LINE,
    QUICK,
    WHOLE,
    Value,
    Writer,
)
from mamtra.runtime.torch.cpu_features import vector_bits
from mamtra.runtime.torch.huge_pages import PAGES

OUTPUTS = 128  # of a block
MIDDLE = 128  # added to a weight
LARGEST = 127  # of a rounded input, to each side of zero
SMALLEST_RANGE = 1e-12  # of a vector that is all zeros
PART = 640  # inputs
FEW_BLOCKS = 32
CHUNK = 24  # rows that are multiplied with a block before the next block
SEVERAL = 4  # rows from which on threads share what is done for each row
AHEAD = 8192  # bytes; how far weights are asked for before they are needed
NO_ORDER = {"nnan", "nsz"}  # of a maximum

BITS = vector_bits()
WIDTH = BITS // 32  # sums in a register
BYTES = BITS // 8  # weights in a register
ALONE = 8  # registers of sums, where one row is multiplied
TOGETHER = 4  # registers of sums for each row, where several are
MOST, SOME = (6, 4) if BITS == 512 else (2, 2)  # rows that are multiplied together, by registers
REGISTER = ir.VectorType(WHOLE, WIDTH)


def write_tile(writer: Writer, registers: int, rows: int, first: bool, given: list[Value]) -> None:
    """Some rows times some outputs of a block, over all inputs of a part."""
    build = writer.build
    weights, vectors, row_bytes, fours, sums, row_sums = given
    weights, vectors, sums = writer.at(weights, vectors, sums)
    dot = writer.known(f"llvm.x86.avx512.vpdpbusd.{BITS}", REGISTER, [REGISTER] * 3)

    def add_four(index: Value, totals: list[Value]) -> list[Value]:
        here = writer.moved(weights, writer.times(index, FOUR * OUTPUTS))
        for line in range(0, registers * BYTES if first else 0, LINE):
            writer.ask(writer.moved(here, AHEAD + line))
        read = [writer.loaded(writer.moved(here, n * BYTES), REGISTER) for n in range(registers)]
        results = []
        for row in range(rows):
            at = build.add(writer.times(row_bytes, row), writer.times(index, FOUR))
            inputs = writer.spread(writer.moved(vectors, at), REGISTER)
            mine = totals[row * registers : (row + 1) * registers]
            results += [
                build.call(dot, [total, part, inputs])
                for total, part in zip(mine, read, strict=True)
            ]
        return results

    results = writer.repeat(fours, rows * registers, REGISTER, add_four)
    for place, result in enumerate(results):
        start = writer.moved(sums, writer.times(row_sums, FOUR * (place // registers)))
        writer.keep(result, writer.moved(start, place % registers * BYTES))


def tile(registers: int, rows: int, first: bool):
    """A compiled loop: ``(weights, vectors, row_bytes, fours, sums, row_sums)``.

    Addresses of the weights, vectors and sums, and how far apart rows lie: vectors in bytes, sums
    in numbers. It overwrites the sums of ``registers`` registers of outputs for each row. The first
    rows that meet a block ask for the weights that come after it.
    """
    signature = types.void(AT, AT, COUNT, COUNT, AT, COUNT)

    @intrinsic
    @no_type_check
    def loop(_context, _weights, _vectors, _row_bytes, _fours, _sums, _row_sums):
        def write(context, build, _signature, given):
            write_tile(Writer(build), registers, rows, first, list(given))
            return context.get_dummy_value()

        return signature, write

    return loop


one_row, next_row = (tile(ALONE, 1, first) for first in (True, False))
some_rows, next_some = (tile(TOGETHER, SOME, first) for first in (True, False))
most_rows, next_most = (tile(TOGETHER, MOST, first) for first in (True, False))


@njit(fastmath=NO_ORDER, **QUICK)
@no_type_check
def round_row(vector, factor, whole):
    """Round a vector on a scale of its own: what sums have too much, and what turns them back."""
    largest = np.float32(SMALLEST_RANGE)
    for k in range(vector.size):
        largest = max(largest, abs(vector[k]))
    steps = np.float32(LARGEST) / largest
    total = np.int32(0)
    for k in range(vector.size):
        rounded = np.int32(np.rint(vector[k] * steps))
        whole[k] = rounded
        total += rounded
    return MIDDLE * total, largest / np.float32(LARGEST) * factor


@njit(parallel=True, **QUICK)
@no_type_check
def round_many(vectors, factors, whole, away, back):
    """Round many vectors; each thread takes some."""
    for row in prange(len(vectors)):
        away[row], back[row] = round_row(vectors[row], factors[row], whole[row])


@njit(fastmath=FUSED, **QUICK)
@no_type_check
def finish_row(sums, away, scale, scales, bias, adds, out):
    """Turn the sums of a row, ``parts n``, back into numbers of the layer's own range."""
    for n in range(out.size):
        total = sums[0, n]
        for part in range(1, len(sums)):
            total += sums[part, n]
        value = np.float32(total - away) * scales[n] * scale
        if bias.size:
            value += bias[n]
        out[n] = out[n] + value if adds else value


@njit(**QUICK)
@no_type_check
def multiply_tile(rows, before, weights, vectors, gap, fours, sums, sums_gap):
    """The loop for so many rows, of which so many met the block before."""
    if rows == MOST and before:
        next_most(weights, vectors, gap, fours, sums, sums_gap)
    elif rows == MOST:
        most_rows(weights, vectors, gap, fours, sums, sums_gap)
    elif rows == SOME and before:
        next_some(weights, vectors, gap, fours, sums, sums_gap)
    elif rows == SOME:
        some_rows(weights, vectors, gap, fours, sums, sums_gap)
    elif before:
        next_row(weights, vectors, gap, fours, sums, sums_gap)
    else:
        one_row(weights, vectors, gap, fours, sums, sums_gap)


@njit(**QUICK)
@no_type_check
def multiply_block(weights, whole, sums, place):
    """Some fours of a block times rows of inputs; 128 sums of each row, from a place on."""
    fours, row = len(weights), 0
    gap, sums_gap = whole.strides[0], sums.shape[1]
    while row < len(whole):
        left = len(whole) - row
        at_once = 1 if left < SOME else SOME if left < MOST or left == 2 * SOME else MOST
        width = (ALONE if at_once == 1 else TOGETHER) * WIDTH
        vectors, target = whole[row].ctypes.data, sums[row, place:].ctypes.data
        for at in range(0, FOUR * OUTPUTS, FOUR * width):
            start, total = weights.ctypes.data + at, target + at
            multiply_tile(at_once, row, start, vectors, gap, fours, total, sums_gap)
        row += at_once


@njit(parallel=True, **QUICK)
@no_type_check
def multiply_few(weights, scales, bias, away, back, adds, out, whole, sums, threads):
    """Rows that all meet a block before the next is read; its inputs may be cut into parts."""
    rows, parts, fours = len(out), sums.shape[1], weights.shape[1]
    items, flat = len(weights) * parts, sums.reshape(rows, -1)
    for thread in prange(threads):
        for item in range(items * thread // threads, items * (thread + 1) // threads):
            part, block = item % parts, item // parts
            first, last = fours * part // parts, fours * (part + 1) // parts
            place = part * sums.shape[2] + block * OUTPUTS
            inputs = whole[:, FOUR * first : FOUR * last]
            multiply_block(weights[block, first:last], inputs, flat, place)
    if rows < SEVERAL:
        for row in range(rows):
            finish_row(sums[row], away[row], back[row], scales, bias, adds, out[row])
    else:
        for row in prange(rows):
            finish_row(sums[row], away[row], back[row], scales, bias, adds, out[row])


@njit(parallel=True, **QUICK)
@no_type_check
def multiply_many(weights, scales, bias, away, back, adds, out, whole, threads):
    """Chunks of rows, each of which is finished while it lies in the nearest cache."""
    chunks = (len(out) + CHUNK - 1) // CHUNK
    items = len(weights) * chunks
    for thread in prange(threads):
        sums = np.empty((CHUNK, 1, OUTPUTS), np.int32)
        for item in range(items * thread // threads, items * (thread + 1) // threads):
            block, first = item // chunks, item % chunks * CHUNK
            start, end = block * OUTPUTS, min((block + 1) * OUTPUTS, out.shape[1])
            inputs = whole[first : first + CHUNK]
            multiply_block(weights[block], inputs, sums.reshape(CHUNK, OUTPUTS), 0)
            for row in range(first, first + len(inputs)):
                finish_row(
                    sums[row - first],
                    away[row],
                    back[row],
                    scales[start:end],
                    bias[start:end],
                    adds,
                    out[row, start:end],
                )


@njit(
    "void(u1[:,:,:,::1], f4[::1], f4[::1], f4[:,::1], f4[::1], b1, f4[:,::1], i1[:,::1],"
    " i4[:,:,::1], i8)",
    **QUICK,
)
@no_type_check
def multiply(weights, scales, bias, vectors, factors, adds, out, whole, sums, threads):
    """Overwrite ``out`` with vectors times their factors times the weights, or add that onto it.

    Args:
        weights: as ``packed`` makes them.
        scales: of the outputs.
        bias: added to every row; of length 0 for none.
        vectors: rows of inputs.
        factors: one for each row.
        adds: whether ``out`` keeps what it has.
        out: rows of outputs.
        whole: room for the rounded vectors; past the inputs of a row there must be zeros.
        sums: room for the sums.
        threads: how many work.
    """
    rows = len(vectors)
    away, back = np.empty(rows, np.int32), np.empty(rows, np.float32)
    if rows < SEVERAL:
        for row in range(rows):
            away[row], back[row] = round_row(vectors[row], factors[row], whole[row])
    else:
        round_many(vectors, factors, whole, away, back)
    if rows > CHUNK:
        multiply_many(weights, scales, bias, away, back, adds, out, whole, threads)
    else:
        multiply_few(weights, scales, bias, away, back, adds, out, whole, sums, threads)


def packed(whole: np.ndarray) -> np.ndarray:
    """Weights in the order in which they are read.

    Args:
        whole: ``outputs inputs``, 8 bit with a sign.

    Returns:
        ``blocks fours 128 4``, 8 bit without a sign; 128, their zero, where there are no weights.
    """
    outputs, inputs = whole.shape
    blocks, fours = -(-outputs // OUTPUTS), -(-inputs // FOUR)
    room = np.full((blocks * OUTPUTS, fours * FOUR), MIDDLE, np.uint8)
    room[:outputs, :inputs] += whole.view(np.uint8)  # 256 is 0: a sign is what 128 more takes away
    weights = PAGES.take(room.size).reshape(blocks, fours, OUTPUTS, FOUR)
    weights[...] = room.reshape(blocks, OUTPUTS, fours, FOUR).swapaxes(1, 2)
    return weights


def sums_for(weights: np.ndarray, rows: int) -> tuple[int, int]:
    """Parts and outputs of the sums of each row, where weights meet so many rows.

    A layer with few blocks is cut into parts of its inputs, so that all threads have work. Many
    rows need no room of their own.
    """
    if rows > CHUNK:
        return 1, 0
    blocks, fours = weights.shape[:2]
    parts = 1 if blocks >= FEW_BLOCKS else -(-fours * FOUR // PART)
    return parts, blocks * OUTPUTS
