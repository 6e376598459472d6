"""Matrix products of a graph: in float32, or with weights of 8 or 4 bit in blocks.

A ``Matrix`` says of which stored tensors a matrix is made. As floats it is put together by nodes
that the runtime folds; in few bits it is put together here, rounded block by block and stored.

Rounding is symmetric: a block's number of largest size becomes the end of the range, so that zero
stays zero. The form is that of onnxruntime's MatMulNBits.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, UInt8

from mamtra.interop.onnx.graph import MICROSOFT, Graph

Bits = Literal[32, 8, 4]
BLOCK = {8: 64, 4: 32}  # numbers that share a scale; docs/engine.md tells what others lose
WIDE, WIDE_BLOCK = 768, 128  # from this width on; a fifth to a third faster, a little less exact
EXACT_INSIDE = 4  # MatMulNBits: vectors are rounded to 8 bit, products summed in whole numbers
SMALLEST = 1e-12  # of a scale


@dataclass(frozen=True, slots=True)
class Matrix:
    """A matrix of a model by the names of its tensors.

    Attributes:
        rows: tensors that stand below each other.
        columns: a vector that multiplies each column, if any.
    """

    rows: tuple[str, ...]
    columns: str | None = None

    def values(self, read: Callable[[str], np.ndarray]) -> Float[np.ndarray, "rows width"]:
        """The matrix itself; ``read`` gives a stored tensor."""
        joined = np.concatenate([read(name).astype(np.float32) for name in self.rows])
        return joined if self.columns is None else joined * read(self.columns).astype(np.float32)


def block_of(bits: int, width: int) -> int:
    """How many numbers of a row share a scale."""
    return WIDE_BLOCK if width >= WIDE else BLOCK[bits]


def round_blocks(
    weight: Float[np.ndarray, "rows width"], bits: int, block: int
) -> tuple[UInt8[np.ndarray, "rows blocks bytes"], Float[np.ndarray, "rows blocks"]]:
    """Blocks of a row as whole numbers of few bits, and the scale of each."""
    rows, width = weight.shape
    blocks = -(-width // block)
    padded = np.zeros((rows, blocks * block), np.float32)
    padded[:, :width] = weight
    cut = padded.reshape(rows, blocks, block)
    low, high = cut.min(2), cut.max(2)
    middle = 2 ** (bits - 1)
    # the range is one longer below zero: the larger end of the block goes there
    scales = np.where(-low > high, low, high) / -middle
    scales = np.where(np.abs(scales) < SMALLEST, SMALLEST, scales).astype(np.float32)
    whole = np.clip(np.rint(cut / scales[:, :, None]) + middle, 0, 2 * middle - 1).astype(np.uint8)
    if bits == 4:
        whole = whole[:, :, ::2] | (whole[:, :, 1::2] << 4)
    return whole, scales


def rounded(
    matrices: Mapping[str, Matrix], read: Callable[[str], np.ndarray], bits: int
) -> dict[str, np.ndarray]:
    """Tensors to store for matrices in few bits; ``read`` gives a stored one."""
    found = {}
    for name, matrix in matrices.items():
        values = matrix.values(read)
        whole, scales = round_blocks(values, bits, block_of(bits, values.shape[1]))
        found |= {f"{name}.whole": whole, f"{name}.scales": scales}
    return found


def joined(graph: Graph, names: tuple[str, ...]) -> str:
    """Tensors below each other, in float32."""
    parts = [graph.weight(name) for name in names]
    return parts[0] if len(parts) == 1 else graph.add("Concat", parts, axis=0)


def multiply(
    graph: Graph, vectors: str, name: str, matrix: Matrix, bits: int, bias: str | None = None
) -> str:
    """The product of (tokens, width) vectors with a matrix, and the bias.

    Args:
        graph: to add to.
        vectors: the input.
        name: of the matrix, under which it was stored if it has few bits.
        matrix: what it is made of.
        bits: 32, 8 or 4.
        bias: the name of a vector to add.
    """
    more = [] if bias is None else [bias]
    if bits == 32:
        found = joined(graph, matrix.rows)  # by nodes that depend on weights alone
        if matrix.columns is not None:
            found = graph.add("Mul", [found, graph.weight(matrix.columns)])
        return graph.add("Gemm", [vectors, found, *more], transB=1)
    rows, width = sum(graph.size(part)[0] for part in matrix.rows), graph.size(matrix.rows[0])[1]
    return graph.add(
        "MatMulNBits",
        [vectors, graph.raw(f"{name}.whole"), graph.raw(f"{name}.scales"), "", "", *more],
        domain=MICROSOFT,
        bits=bits,
        block_size=block_of(bits, width),
        K=width,
        N=rows,
        accuracy_level=EXACT_INSIDE,
    )
