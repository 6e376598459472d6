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

from mamtra.backbone.compiled.loops import AT, COUNT, FOUR, FUSED, LINE, QUICK, WHOLE, Value, Writer
from mamtra.backbone.compiling import vector_bits

OUTPUTS = 128  # of a block
MIDDLE = 128  # added to a weight
LARGEST = 127  # of a rounded input, to each side of zero
SMALLEST_RANGE = 1e-12  # of a vector that is all zeros
PART = 640  # inputs; a layer with few blocks is cut into parts, so that all threads have work
FEW_BLOCKS = 32
CHUNK = 16  # rows that are multiplied with a block before the next block
SEVERAL = 4  # rows from which on it pays to share out what is done for each row
AHEAD = 8192  # bytes; how far weights are asked for before they are needed
NO_ORDER = {"nnan", "nsz"}  # of a maximum

BITS = vector_bits()
WIDTH = BITS // 32  # sums in a register
BYTES = BITS // 8  # weights in a register
ALONE = 8  # registers of sums, where one row is multiplied
TOGETHER = 4  # registers of sums for each row, where several are
ROWS = 4 if BITS == 512 else 2  # multiplied together; a processor of 256 bits has fewer registers
REGISTER = ir.VectorType(WHOLE, WIDTH)


def write_tile(writer: Writer, registers: int, rows: int, given: list[Value]) -> None:
    """Some rows times some outputs of a block, over all inputs of a part."""
    build = writer.build
    weights, vectors, row_bytes, fours, sums, row_sums = given
    weights, vectors, sums = writer.at(weights, vectors, sums)
    dot = writer.known(f"llvm.x86.avx512.vpdpbusd.{BITS}", REGISTER, [REGISTER] * 3)

    def add_four(index: Value, totals: list[Value]) -> list[Value]:
        here = writer.moved(weights, writer.times(index, FOUR * OUTPUTS))
        for line in range(0, registers * BYTES, LINE):
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


def tile(registers: int, rows: int):
    """A compiled loop: ``(weights, vectors, row_bytes, fours, sums, row_sums)``.

    Addresses of the weights, vectors and sums, and how far apart rows lie: vectors in bytes, sums
    in numbers. It overwrites the sums of ``registers`` registers of outputs for each row.
    """
    signature = types.void(AT, AT, COUNT, COUNT, AT, COUNT)

    @intrinsic
    @no_type_check
    def loop(_context, _weights, _vectors, _row_bytes, _fours, _sums, _row_sums):
        def write(context, build, _signature, given):
            write_tile(Writer(build), registers, rows, list(given))
            return context.get_dummy_value()

        return signature, write

    return loop


one_row, some_rows = tile(ALONE, 1), tile(TOGETHER, ROWS)


@njit(fastmath=NO_ORDER, **QUICK)
@no_type_check
def round_row(vector, whole):
    """Round a vector on a scale of its own: the scale, and the sum of what it became."""
    largest = np.float32(SMALLEST_RANGE)
    for k in range(vector.size):
        largest = max(largest, abs(vector[k]))
    steps = np.float32(LARGEST) / largest
    total = np.int32(0)
    for k in range(vector.size):
        rounded = np.int32(np.rint(vector[k] * steps))
        whole[k] = rounded
        total += rounded
    return largest / np.float32(LARGEST), total


@njit(fastmath=FUSED, **QUICK)
@no_type_check
def finish_row(sums, row, away, scale, scales, bias, adds, out):
    """Turn the sums of a row back into numbers of the layer's own range."""
    for n in range(out.size):
        total = sums[row, 0, n]
        for part in range(1, sums.shape[1]):
            total += sums[row, part, n]
        value = np.float32(total - away) * scales[n] * scale
        if bias.size:
            value += bias[n]
        out[n] = out[n] + value if adds else value


@njit(**QUICK)
@no_type_check
def multiply_item(item, weights, whole, sums):
    """One block, part and chunk of rows."""
    rows, fours, parts = whole.shape[0], weights.shape[1], sums.shape[1]
    chunks = (rows + CHUNK - 1) // CHUNK
    chunk, rest = item % chunks, item // chunks
    part, block = rest % parts, rest // parts
    first, last = fours * part // parts, fours * (part + 1) // parts
    start, row = weights[block, first:].ctypes.data, chunk * CHUNK
    end = min(row + CHUNK, rows)
    while row < end:
        vectors = whole[row, FOUR * first :].ctypes.data
        target = sums[row, part, block * OUTPUTS :].ctypes.data
        together = row + ROWS <= end
        width = (TOGETHER if together else ALONE) * WIDTH
        for at in range(0, FOUR * OUTPUTS, FOUR * width):
            if together:
                some_rows(
                    start + at, vectors, whole.shape[1], last - first, target + at, parts * sums.shape[2]
                )
            else:
                one_row(start + at, vectors, 0, last - first, target + at, 0)
        row += ROWS if together else 1


@njit(
    "void(u1[:,:,:,::1], f4[::1], f4[::1], f4[:,::1], f4[::1], b1, f4[:,::1], i1[:,::1],"
    " i4[:,:,::1], i8)",
    parallel=True,
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
    rows = vectors.shape[0]
    chunks = (rows + CHUNK - 1) // CHUNK
    items = weights.shape[0] * sums.shape[1] * chunks
    away, back = np.empty(rows, np.int32), np.empty(rows, np.float32)
    if rows < SEVERAL:
        for row in range(rows):
            scale, total = round_row(vectors[row], whole[row])
            away[row], back[row] = MIDDLE * total, scale * factors[row]
    else:
        for row in prange(rows):
            scale, total = round_row(vectors[row], whole[row])
            away[row], back[row] = MIDDLE * total, scale * factors[row]
    for thread in prange(threads):
        for item in range(items * thread // threads, items * (thread + 1) // threads):
            multiply_item(item, weights, whole, sums)
    if rows < SEVERAL:
        for row in range(rows):
            finish_row(sums, row, away[row], back[row], scales, bias, adds, out[row])
    else:
        for row in prange(rows):
            finish_row(sums, row, away[row], back[row], scales, bias, adds, out[row])


def packed(whole: np.ndarray) -> np.ndarray:
    """Weights in the order in which they are read.

    Args:
        whole: ``outputs inputs``, 8 bit with a sign.

    Returns:
        ``blocks fours 128 4``, 8 bit without a sign; zeros where there are no weights.
    """
    outputs, inputs = whole.shape
    blocks, fours = -(-outputs // OUTPUTS), -(-inputs // FOUR)
    room = np.full((blocks * OUTPUTS, fours * FOUR), MIDDLE, np.uint8)
    room[:outputs, :inputs] += whole.view(np.uint8)  # 256 is 0: a sign is what 128 more takes away
    return np.ascontiguousarray(room.reshape(blocks, OUTPUTS, fours, FOUR).swapaxes(1, 2))


def parts_of(weights: np.ndarray, rows: int) -> int:
    """Into how many parts the inputs are cut when weights meet so many rows."""
    if len(weights) >= FEW_BLOCKS or rows > CHUNK:
        return 1
    return -(-weights.shape[1] * FOUR // PART)
