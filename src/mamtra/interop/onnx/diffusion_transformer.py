"""CosyVoice 3's velocity network as nodes; ``acoustic/diffusion_transformer.py`` says what it is.

Between layers, vectors lie flat (rows * frames, dim); modulations are (1, dim).
"""

import numpy as np
from onnx import TensorProto

from mamtra.acoustic.decoder_config import DiffusionTransformerConfig
from mamtra.acoustic.diffusion_transformer import MODULATIONS, NORM_EPS, ROTARY_BASE
from mamtra.interop.onnx.earlier_steps import ROWS
from mamtra.interop.onnx.frames_seen import FramesSeen
from mamtra.interop.onnx.graph import Graph
from mamtra.interop.onnx.modules import length, linear, number
from mamtra.interop.onnx.token_encoder import silu


class Rotation:
    """Cosines and sines (frames, head_dim / 2, 1) of the first head's positions."""

    def __init__(self, graph: Graph, positions: str, head_dim: int) -> None:
        self.graph, self.head_dim = graph, head_dim
        pairs = np.arange(0, head_dim, 2, dtype=np.float32)
        frequency = np.float32(ROTARY_BASE) ** -(pairs / np.float32(head_dim))
        place = graph.add("Cast", [positions], to=TensorProto.FLOAT)
        place = graph.add("Unsqueeze", [place, graph.shape(1, 2)])
        angle = graph.add("Mul", [place, graph.constant(frequency[:, None], np.float32)])
        self.cosine, self.sine = graph.add("Cos", [angle]), graph.add("Sin", [angle])

    def apply(self, vectors: str, inner: int) -> str:
        """Rotate the first head of (rows * frames, inner)."""
        graph, width = self.graph, self.head_dim
        sizes = graph.shape(width, inner - width)
        first, rest = graph.add("Split", [vectors, sizes], 2, axis=1)
        pairs = graph.add("Reshape", [first, graph.shape(ROWS, -1, width // 2, 2)])
        even, odd = graph.add("Split", [pairs], 2, axis=3, num_outputs=2)
        turned = [
            graph.add("Sub", [self.times(even, self.cosine), self.times(odd, self.sine)]),
            graph.add("Add", [self.times(odd, self.cosine), self.times(even, self.sine)]),
        ]
        both = graph.add("Concat", turned, axis=3)
        flat = graph.add("Reshape", [both, graph.shape(-1, width)])
        return graph.add("Concat", [flat, rest], axis=1)

    def times(self, part: str, by: str) -> str:
        """A product."""
        return self.graph.add("Mul", [part, by])


def normal(graph: Graph, vectors: str, dim: int, scale: str, shift: str) -> str:
    """A norm without weights, then ``x * (1 + scale) + shift``."""
    ones = graph.constant(np.ones(dim), np.float32)
    found = graph.add("LayerNormalization", [vectors, ones], axis=-1, epsilon=NORM_EPS)
    gain = graph.add("Add", [scale, number(graph, 1.0)])
    return graph.add("Add", [graph.add("Mul", [found, gain]), shift])


def attend(
    graph: Graph,
    vectors: str,
    name: str,
    config: DiffusionTransformerConfig,
    rotation: Rotation,
    seen: FramesSeen,
) -> str:
    """Attention over (rows * frames, dim)."""
    heads, width = config.heads, config.head_dim
    query, key, value = (linear(graph, vectors, f"{name}.{part}_proj") for part in "qkv")
    query, key, value = (
        graph.add("Reshape", [part, graph.shape(ROWS, -1, heads, width)])
        for part in (*(rotation.apply(part, heads * width) for part in (query, key)), value)
    )
    return linear(graph, seen.attend(query, key, value, heads, width), f"{name}.o_proj")


def layer(
    graph: Graph,
    hidden: str,
    name: str,
    config: DiffusionTransformerConfig,
    shared: tuple[str, Rotation, FramesSeen],
) -> str:
    """Attention and a network, each after an adaptive norm; ``shared``: time, rotation, frames."""
    time, rotation, seen = shared
    moved = linear(graph, time, f"{name}.modulation")
    parts = graph.add("Split", [moved], MODULATIONS, axis=1, num_outputs=MODULATIONS)
    shift, scale, gate, mlp_shift, mlp_scale, mlp_gate = parts
    inner = normal(graph, hidden, config.dim, scale, shift)
    mixed = attend(graph, inner, name, config, rotation, seen)
    hidden = graph.add("Add", [hidden, graph.add("Mul", [mixed, gate])])
    inner = normal(graph, hidden, config.dim, mlp_scale, mlp_shift)
    wide = graph.add("Gelu", [linear(graph, inner, f"{name}.widen")], approximate="tanh")
    found = linear(graph, wide, f"{name}.narrow")
    return graph.add("Add", [hidden, graph.add("Mul", [found, mlp_gate])])


def diffusion_transformer(
    graph: Graph, hidden: str, config: DiffusionTransformerConfig, time: str, seen: FramesSeen
) -> str:
    """The velocity (rows, bins, frames) of (rows, inputs, frames); ``time`` is (1, dim)."""
    rotation = Rotation(graph, seen.positions(length(graph, hidden, 2)), config.head_dim)
    vectors = graph.add("Transpose", [hidden], perm=[0, 2, 1])
    vectors = graph.add("Reshape", [vectors, graph.shape(-1, config.inputs)])
    vectors = linear(graph, vectors, "velocity.entrance")
    signal = graph.add("Reshape", [vectors, graph.shape(ROWS, -1, config.dim)])
    signal = graph.add("Transpose", [signal], perm=[0, 2, 1])
    for index in range(2):
        name = f"velocity.position.convs.{index}"
        signal = seen.convolve(signal, name, config.conv_groups)
        signal = graph.add("Mish", [signal])
    placed = graph.add("Transpose", [signal], perm=[0, 2, 1])
    placed = graph.add("Reshape", [placed, graph.shape(-1, config.dim)])
    vectors, moment = graph.add("Add", [vectors, placed]), silu(graph, time)
    shared = moment, rotation, seen
    for index in range(config.layers):
        vectors = layer(graph, vectors, f"velocity.layers.{index}", config, shared)
    last = linear(graph, moment, "velocity.last_modulation")
    scale, shift = graph.add("Split", [last], 2, axis=1, num_outputs=2)
    found = linear(graph, normal(graph, vectors, config.dim, scale, shift), "velocity.head")
    found = graph.add("Reshape", [found, graph.shape(ROWS, -1, config.bins)])
    return graph.add("Transpose", [found], perm=[0, 2, 1])
