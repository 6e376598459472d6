"""Attention with relative positions as nodes: over all steps, or of chunks that go on from memory.

A ``Rate`` is what layers share whose steps come equally often: how many there are, the vectors of
their distances, and what each of them may see.
"""

import math

import numpy as np
from onnx import TensorProto

from mamtra.acoustic.decoder_config import TokenEncoderConfig
from mamtra.acoustic.relative_attention import WAVELENGTH_BASE
from mamtra.interop.onnx.earlier_steps import NEWEST
from mamtra.interop.onnx.graph import Graph
from mamtra.interop.onnx.modules import count, cut, gives, length, linear, number, takes, whole

FLOOR = float(np.finfo(np.float32).min)  # added to scores that must not count


def sine_positions(graph: Graph, keys: str, time: str, dim: int) -> str:
    """Sines and cosines, interleaved, of the distances ``keys - 1`` down to ``-time``."""
    first = graph.add("Sub", [graph.add("Squeeze", [keys]), whole(graph, 1)])
    end = graph.add("Neg", [graph.add("Squeeze", [time])])
    end = graph.add("Sub", [end, whole(graph, 1)])
    distance = graph.add("Range", [first, end, whole(graph, -1)])
    distance = graph.add("Cast", [distance], to=TensorProto.FLOAT)
    even = np.arange(0, dim, 2, dtype=np.float32)
    frequency = np.exp(even * np.float32(-(math.log(WAVELENGTH_BASE) / dim)))
    column = graph.add("Unsqueeze", [distance, graph.shape(1)])
    angle = graph.add("Mul", [column, graph.constant(frequency, np.float32)])
    waves = [
        graph.add("Unsqueeze", [graph.add(kind, [angle]), graph.shape(2)])
        for kind in ("Sin", "Cos")
    ]
    return graph.add("Reshape", [graph.add("Concat", waves, axis=2), graph.shape(-1, dim)])


def shown(graph: Graph, seen: str) -> str:
    """What is added to scores so that only those count that are seen."""
    return graph.add("Where", [seen, number(graph, 0.0), number(graph, FLOOR)])


def ends_of_chunks(graph: Graph, step: str, chunk: str) -> str:
    """The end of each step's own chunk, as a column."""
    after = graph.add("Add", [graph.add("Div", [step, chunk]), whole(graph, 1)])
    return graph.add("Unsqueeze", [graph.add("Mul", [after, chunk]), graph.shape(1)])


def hidden_beyond_chunks(graph: Graph, time: str, chunk: str) -> str:
    """(time, time): what is added to scores so that nothing beyond its own chunk counts."""
    step = count(graph, time)
    return shown(graph, graph.add("Less", [step, ends_of_chunks(graph, step, chunk)]))


class Rate:
    """What the layers at one rate share: length, positions, mask, and how to turn distances.

    Args:
        graph: that is built.
        hidden: (time, dim), what goes into the first layer.
        dim: its width.
        before: steps that are remembered, a vector of one number.
    """

    def __init__(self, graph: Graph, hidden: str, dim: int, before: str | None = None) -> None:
        self.graph = graph
        self.time = self.keys = length(graph, hidden, 0)
        if before is not None:
            self.keys = graph.add("Add", [before, self.time])
        self.positions = sine_positions(graph, self.keys, self.time, dim)
        one = graph.shape(1)
        self.first = graph.add("Sub", [self.time, one])
        self.row = graph.add("Add", [self.keys, self.first])
        many = graph.add("Mul", [self.time, self.row])
        self.last = graph.add("Add", [self.first, many])
        self.rows = graph.add("Concat", [graph.shape(0, -1), self.row], axis=0)
        self.mask = ""

    def by_key(self, scores: str) -> str:
        """Scores per (query, distance), (heads, time, keys + time), as scores per (query, key)."""
        graph = self.graph
        flat = graph.add("Reshape", [scores, graph.shape(0, -1)])
        flat = cut(graph, flat, self.first, self.last, 1)
        return cut(graph, graph.add("Reshape", [flat, self.rows]), graph.shape(0), self.keys, 2)

    def extended(self, new: str) -> str:
        """Keys or values (heads, time, width) behind those that are remembered."""
        return new


class RateOfWhole(Rate):
    """Every step is there; attention ends with each one's chunk."""

    def __init__(self, graph: Graph, hidden: str, dim: int, chunk: str) -> None:
        super().__init__(graph, hidden, dim)
        self.mask = hidden_beyond_chunks(graph, self.time, chunk)


class RateOfStream(Rate):
    """Chunks that go on from keys and values of the steps before.

    Args:
        graph: that is built.
        hidden: (time, dim), what goes into the first layer.
        config: of the encoder.
        known: name of the input with keys and values.
        layers: at this rate.
        chunk: steps of one.
        context: name of the number of steps before its chunk that each one sees.
    """

    def __init__(
        self,
        graph: Graph,
        hidden: str,
        config: TokenEncoderConfig,
        known: str,
        layers: int,
        chunk: int,
        context: str,
    ) -> None:
        self.sizes = 2 * layers, config.heads, config.dim // config.heads
        takes(graph, known, TensorProto.FLOAT, *self.sizes[:2], f"{known} before", self.sizes[2])
        before = length(graph, known, 2)
        super().__init__(graph, hidden, config.dim, before)
        self.known, self.next = known, list[str]()
        self.parts = graph.add("Split", [known], 2 * layers, axis=0, num_outputs=2 * layers)
        first = graph.add("Neg", [context])
        self.kept = graph.add("Unsqueeze", [first, graph.shape(0)])
        end = ends_of_chunks(graph, count(graph, self.time), whole(graph, chunk))
        start = graph.add("Sub", [end, graph.add("Add", [context, whole(graph, chunk)])])
        key = graph.add("Sub", [count(graph, self.keys), before])
        seen = [graph.add("GreaterOrEqual", [key, start]), graph.add("Less", [key, end])]
        self.mask = shown(graph, graph.add("And", seen))

    def extended(self, new: str) -> str:
        """Keys or values (heads, time, width) behind those that are remembered."""
        graph = self.graph
        held = graph.add("Squeeze", [self.parts[len(self.next)], graph.shape(0)])
        every = graph.add("Concat", [held, new], axis=1)
        newest = graph.add("Slice", [every, self.kept, graph.shape(NEWEST), graph.shape(1)])
        self.next.append(graph.add("Unsqueeze", [newest, graph.shape(0)]))
        return every

    def finish(self) -> None:
        """Give what the next pass remembers."""
        newest = self.graph.add("Concat", self.next, axis=0)
        rows, heads, width = self.sizes
        gives(self.graph, f"next.{self.known}", newest, rows, heads, f"{self.known} after", width)


def relative_attention(
    graph: Graph, hidden: str, name: str, config: TokenEncoderConfig, rate: Rate
) -> str:
    """Attention whose scores depend on content and on the distance between two steps."""
    heads, width = config.heads, config.dim // config.heads
    scale = number(graph, width**-0.5)

    def split(vectors: str, *perm: int) -> str:
        cut_heads = graph.add("Reshape", [vectors, graph.shape(-1, heads, width)])
        return graph.add("Transpose", [cut_heads], perm=perm)

    def toward(bias: str) -> str:
        wide = graph.add("Unsqueeze", [graph.weight(f"{name}.{bias}"), graph.shape(1)])
        return graph.add("Mul", [graph.add("Add", [query, wide]), scale])

    query = split(linear(graph, hidden, f"{name}.q_proj"), 1, 0, 2)
    key, value = (
        rate.extended(split(linear(graph, hidden, f"{name}.{part}_proj"), 1, 0, 2)) for part in "kv"
    )
    distance = split(linear(graph, rate.positions, f"{name}.position_proj"), 1, 2, 0)
    turned = graph.add("Transpose", [key], perm=[0, 2, 1])
    content = graph.add("MatMul", [toward("content_bias"), turned])
    place = rate.by_key(graph.add("MatMul", [toward("position_bias"), distance]))
    scores = graph.add("Add", [graph.add("Add", [content, place]), rate.mask])
    mixed = graph.add("MatMul", [graph.add("Softmax", [scores], axis=-1), value])
    mixed = graph.add("Transpose", [mixed], perm=[1, 0, 2])
    return linear(
        graph, graph.add("Reshape", [mixed, graph.shape(-1, config.dim)]), f"{name}.o_proj"
    )
