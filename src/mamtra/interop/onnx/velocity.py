"""One Euler step of the flow as a graph, guidance included; the loop over steps is outside.

    point    (bins, frames): where the flow is
    time     the flow's time, 0 to 1
    move     how far to go along the velocity
    guidance  how far to push away from what is drawn without knowing anything
    mean, given  (bins, frames): what the token encoder expects, and the prompt's mel features
    speaker  (speaker_dim) of any length
    chunk    frames of a chunk, beyond which attention does not look; a large number for all

gives ``next.point``.
"""

import math

import numpy as np
import onnx
from onnx import TensorProto

from mamtra.acoustic.config import DecoderConfig, DiffusionTransformerConfig
from mamtra.acoustic.velocity import KERNEL, TIME_SCALE, WAVELENGTH_BASE, VelocityConfig
from mamtra.interop.onnx.diffusion_transformer import diffusion_transformer
from mamtra.interop.onnx.graph import Graph, StoredTensor
from mamtra.interop.onnx.modules import (
    OPSET,
    convolution,
    gives,
    layer_norm,
    length,
    linear,
    number,
    takes,
)
from mamtra.interop.onnx.token_encoder import hidden_beyond_chunks, silu

ROWS = 2  # what is known, and nothing known


def mish(graph: Graph, tensor: str) -> str:
    """``x * tanh(softplus(x))``."""
    return graph.add("Mish", [tensor])


def flow_time(graph: Graph, sines: int) -> str:
    """The flow's time as a vector (1, width), through two linear layers."""
    half = sines // 2
    falling = np.arange(half, dtype=np.float32) * np.float32(
        -(math.log(WAVELENGTH_BASE) / (half - 1))
    )
    scaled = graph.add("Mul", ["time", number(graph, TIME_SCALE)])
    angle = graph.add("Mul", [scaled, graph.constant(np.exp(falling)[None], np.float32)])
    waves = graph.add("Concat", [graph.add("Sin", [angle]), graph.add("Cos", [angle])], axis=1)
    return linear(
        graph, silu(graph, linear(graph, waves, "velocity.time.widen")), "velocity.time.mix"
    )


def conv_block(graph: Graph, hidden: str, name: str) -> str:
    """Causal convolution, norm over channels, Mish; (rows, channels, frames)."""
    mixed = convolution(graph, hidden, f"{name}.conv.conv", (KERNEL - 1, 0))
    mixed = layer_norm(graph, graph.add("Transpose", [mixed], perm=[0, 2, 1]), f"{name}.norm")
    return mish(graph, graph.add("Transpose", [mixed], perm=[0, 2, 1]))


def residual_block(graph: Graph, hidden: str, name: str, time: str) -> str:
    """Two convolution blocks with the flow's time added between, beside a direct path."""
    moment = linear(graph, mish(graph, time), f"{name}.time")
    moment = graph.add("Unsqueeze", [moment, graph.shape(2)])
    mixed = graph.add("Add", [conv_block(graph, hidden, f"{name}.first"), moment])
    mixed = conv_block(graph, mixed, f"{name}.second")
    return graph.add("Add", [mixed, convolution(graph, hidden, f"{name}.direct")])


def transformer_block(
    graph: Graph, hidden: str, name: str, config: VelocityConfig, mask: str
) -> str:
    """Attention without positions, then a network; (rows * frames, dim)."""
    heads, width = config.heads, config.head_dim
    normal = layer_norm(graph, hidden, f"{name}.attention_norm")

    def split(part: str, *perm: int) -> str:
        vectors = linear(graph, normal, f"{name}.{part}_proj")
        cut = graph.add("Reshape", [vectors, graph.shape(ROWS, -1, heads, width)])
        return graph.add("Transpose", [cut], perm=perm)

    scores = graph.add("MatMul", [split("q", 0, 2, 1, 3), split("k", 0, 2, 3, 1)])
    scores = graph.add("Mul", [scores, number(graph, width**-0.5)])
    weight = graph.add("Softmax", [graph.add("Add", [scores, mask])], axis=-1)
    mixed = graph.add("MatMul", [weight, split("v", 0, 2, 1, 3)])
    mixed = graph.add("Transpose", [mixed], perm=[0, 2, 1, 3])
    mixed = graph.add("Reshape", [mixed, graph.shape(-1, heads * width)])
    hidden = graph.add("Add", [hidden, linear(graph, mixed, f"{name}.o_proj")])
    normal = layer_norm(graph, hidden, f"{name}.mlp_norm")
    inner = graph.add("Gelu", [linear(graph, normal, f"{name}.widen")])
    return graph.add("Add", [hidden, linear(graph, inner, f"{name}.narrow")])


def stage(
    graph: Graph, hidden: str, name: str, config: VelocityConfig, shared: tuple[str, str]
) -> str:
    """A residual block and its transformer blocks."""
    time, mask = shared
    hidden = residual_block(graph, hidden, f"{name}.residual", time)
    vectors = graph.add("Transpose", [hidden], perm=[0, 2, 1])
    vectors = graph.add("Reshape", [vectors, graph.shape(-1, config.dim)])
    for block in range(config.blocks):
        vectors = transformer_block(graph, vectors, f"{name}.blocks.{block}", config, mask)
    vectors = graph.add("Reshape", [vectors, graph.shape(ROWS, -1, config.dim)])
    return graph.add("Transpose", [vectors], perm=[0, 2, 1])


def inputs_of(graph: Graph, config: DecoderConfig) -> str:
    """Point, mean, speaker and given mel side by side; a second row knows nothing but the point.

    A diffusion transformer has the given mel before the mean, and the speaker last.
    """
    row = graph.add("Unsqueeze", ["speaker", graph.shape(0)])
    row = linear(graph, graph.add("LpNormalization", [row], axis=-1, p=2), "speaker")
    frames = length(graph, "point", 1)
    column = graph.add("Transpose", [row], perm=[1, 0])
    speaker = graph.add("Expand", [column, graph.add("Concat", [graph.shape(1), frames], axis=0)])
    transformer = isinstance(config.velocity, DiffusionTransformerConfig)
    order = ["given", "mean", speaker] if transformer else ["mean", speaker, "given"]
    known = graph.add("Concat", order, axis=0)
    nothing = graph.add("Mul", [known, number(graph, 0.0)])
    rows = [
        graph.add("Unsqueeze", [graph.add("Concat", ["point", part], axis=0), graph.shape(0)])
        for part in (known, nothing)
    ]
    return graph.add("Concat", rows, axis=0)


def unet(graph: Graph, hidden: str, sizes: VelocityConfig, mask: str) -> str:
    """CosyVoice 2's network over (rows, inputs, frames)."""
    shared = flow_time(graph, sizes.inputs), mask
    first = stage(graph, hidden, "velocity.first", sizes, shared)
    causal = (KERNEL - 1, 0)
    hidden = convolution(graph, first, "velocity.first_conv.conv", causal)
    for index in range(sizes.middle):
        hidden = stage(graph, hidden, f"velocity.middle.{index}", sizes, shared)
    hidden = graph.add("Concat", [hidden, first], axis=1)
    hidden = stage(graph, hidden, "velocity.last", sizes, shared)
    hidden = convolution(graph, hidden, "velocity.last_conv.conv", causal)
    hidden = conv_block(graph, hidden, "velocity.final")
    return convolution(graph, hidden, "velocity.head")


def velocity_graph(
    config: DecoderConfig, stored: dict[str, StoredTensor], notes: dict[str, str]
) -> onnx.ModelProto:
    """The graph of one Euler step."""
    sizes = config.velocity
    assert sizes is not None, "a decoder with a flow has its sizes"
    graph = Graph(stored, OPSET)
    for name in ("point", "mean", "given"):
        takes(graph, name, TensorProto.FLOAT, config.bins, "frames")
    takes(graph, "speaker", TensorProto.FLOAT, config.speaker_dim)
    for name in ("time", "move", "guidance"):
        takes(graph, name, TensorProto.FLOAT)
    takes(graph, "chunk", TensorProto.INT64)
    hidden = inputs_of(graph, config)
    mask = hidden_beyond_chunks(graph, length(graph, "point", 1), "chunk")
    if isinstance(sizes, DiffusionTransformerConfig):
        time = flow_time(graph, sizes.time_sines)
        hidden = diffusion_transformer(graph, hidden, sizes, time, mask)
    else:
        hidden = unet(graph, hidden, sizes, mask)
    with_known, without = graph.add("Split", [hidden], 2, axis=0, num_outputs=2)
    away = graph.add("Mul", [graph.add("Sub", [with_known, without]), "guidance"])
    velocity = graph.add("Squeeze", [graph.add("Add", [with_known, away]), graph.shape(0)])
    moved = graph.add("Add", ["point", graph.add("Mul", [velocity, "move"])])
    gives(graph, "next.point", moved, config.bins, "frames")
    return graph.model(notes)
