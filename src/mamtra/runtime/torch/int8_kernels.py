"""Products of vectors with 8-bit weights by code that numba compiles for the processor (compiled/).

Reads weights as fast as memory gives them, on x86 processors with instructions for 8 bit (VNNI).

Dtype rule: inputs, outputs and scales are float32; weights are whole numbers from -127 to 127.
"""

import threading
from typing import Any

import numpy as np
import torch
from jaxtyping import Int8
from torch import Tensor

SMALLEST_RANGE = 1e-12  # of an input that is all zeros
NOTHING = np.empty(0, np.float32)  # the bias of a layer that has none


# Held while compiled code runs: not every library that shares work among threads may itself be used
# by several at once.
ONE_AT_A_TIME = threading.RLock()


class CompiledKernel:
    """Weights in the order of compiled/products.py."""

    code: Any  # the package, which is imported with the first layer

    def __init__(self, whole: Int8[Tensor, "outputs inputs"]) -> None:
        from mamtra.runtime.torch import compiled

        CompiledKernel.code = compiled
        self.outputs = len(whole)
        self.weights = compiled.packed(whole.numpy())
        self.nbytes = self.weights.nbytes

    def shapes(self, rows: int) -> tuple[tuple[int], tuple[int, int]]:
        """Of the room that each of so many rows needs: for the rounded vector, and for sums."""
        _, fours, _, four = self.weights.shape
        return (fours * four,), self.code.sums_for(self.weights, rows)

    def multiply(self, vectors: Tensor, scales: Tensor, bias: Tensor | None) -> Tensor:
        """The product; scales turn the weights back into what they were rounded from."""
        rows = len(vectors)
        out = torch.empty(rows, self.outputs)
        if not rows:
            return out
        given, factors = vectors.contiguous().numpy(), np.ones(rows, np.float32)
        added = NOTHING if bias is None else bias.numpy()
        whole, sums = self.shapes(rows)
        room = np.zeros((rows, *whole), np.int8), np.empty((rows, *sums), np.int32)
        with ONE_AT_A_TIME, self.code.as_many_threads():
            self.write(given, factors, (scales.numpy(), added), out.numpy(), room)
        return out

    def write(
        self,
        vectors: np.ndarray,
        factors: np.ndarray,
        layer: tuple[np.ndarray, np.ndarray],
        out: np.ndarray,
        room: tuple[np.ndarray, np.ndarray],
        adds: bool = False,
    ) -> None:
        """The same without a tensor or memory being made; the caller holds ``ONE_AT_A_TIME``.

        Args:
            vectors: ``rows inputs``.
            factors: of the vectors.
            layer: scales and bias of the outputs; a bias may be ``NOTHING``.
            out: ``rows outputs``; overwritten.
            room: for rounded vectors and sums, as ``shapes`` says; behind the inputs, zeros.
            adds: add the product to ``out`` instead.
        """
        self.code.multiply(
            self.weights, *layer, vectors, factors, adds, out, *room, torch.get_num_threads()
        )
