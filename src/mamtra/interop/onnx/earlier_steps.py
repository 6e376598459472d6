"""What lies before the first step of a causal network, as nodes.

``Zeros``: nothing does, all steps are there. ``HeldInputs``: the last steps of the pass before, as
inputs ``held.N`` for the N-th node that asks; outputs ``next.held.N`` are for the next pass.
"""

import numpy as np
from onnx import TensorProto

from mamtra.interop.onnx.graph import Graph
from mamtra.interop.onnx.modules import convolution, gives, takes

ROWS = 1  # of a signal; graphs of acoustic parts handle one utterance
NEWEST = 2**62  # an end that no axis reaches


class Zeros:
    """Every step is there."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def convolve(self, signal: str, name: str, group: int = 1) -> str:
        """A convolution over (rows, channels, steps) that sees earlier steps."""
        reach = self.graph.size(f"{name}.weight")[2] - 1
        return convolution(self.graph, signal, name, (reach, 0), group=group)

    def behind(self, vectors: str, dim: int, reach: int) -> str:
        """Vectors (steps, dim) with ``reach`` earlier ones before them."""
        zeros = self.graph.constant(np.zeros((reach, dim)), np.float32)
        return self.graph.add("Concat", [zeros, vectors], axis=0)


class HeldInputs:
    """Steps that go on from those of the pass before."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.asked = graph, 0

    def joined(self, new: str, axis: int, sizes: tuple[int, ...]) -> str:
        """New steps behind those that are held, of ``sizes``."""
        graph, held = self.graph, f"held.{self.asked}"
        self.asked += 1
        takes(graph, held, TensorProto.FLOAT, *sizes)
        every = graph.add("Concat", [held, new], axis=axis)
        ends = graph.shape(-sizes[axis]), graph.shape(NEWEST), graph.shape(axis)
        gives(graph, f"next.{held}", graph.add("Slice", [every, *ends]), *sizes)
        return every

    def convolve(self, signal: str, name: str, group: int = 1) -> str:
        """A convolution over (rows, channels, steps) that sees earlier steps."""
        _, channels, taps = self.graph.size(f"{name}.weight")
        signal = self.joined(signal, 2, (ROWS, channels * group, taps - 1))
        return convolution(self.graph, signal, name, group=group)

    def behind(self, vectors: str, dim: int, reach: int) -> str:
        """Vectors (steps, dim) with ``reach`` earlier ones before them."""
        return self.joined(vectors, 0, (reach, dim))


EarlierSteps = Zeros | HeldInputs
