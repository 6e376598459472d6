"""The flow's velocity as a graph; ``runtime/onnx/flow.py`` has Euler's steps and guidance.

    point    (bins, frames): where the flow is
    time     the flow's time, 0 to 1
    told     1, or 0 for the velocity of a network that is told nothing but the point
    mean, given  (bins, frames): what the token encoder expects, and the prompt's mel features
    speaker  (speaker_dim) of any length
    chunk    frames of a chunk, beyond which attention does not look; a large number for all
    end      of a mean flow: the time at which the step ends

gives ``velocity`` (bins, frames). A graph for streams takes the frames of one chunk, or of several,
no ``chunk``, and what is remembered of the frames before (``frames_seen.py``).
"""

import math
from typing import Literal

import numpy as np
import onnx
from onnx import TensorProto

from mamtra.acoustic.decoder_config import DecoderConfig, DiffusionTransformerConfig
from mamtra.acoustic.velocity import TIME_SCALE, WAVELENGTH_BASE, VelocityConfig
from mamtra.interop.onnx.diffusion_transformer import diffusion_transformer
from mamtra.interop.onnx.earlier_steps import ROWS
from mamtra.interop.onnx.frames_seen import (
    AllFrames,
    FramesSeen,
    Memory,
    MemoryOfChunks,
)
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
from mamtra.interop.onnx.token_encoder import silu
from mamtra.runtime.onnx.flow import END_OF_STEP

Frames = Literal["all", "chunk", "chunks"]


def flow_time(graph: Graph, sines: int, time: str = "time") -> str:
    """A time of the flow as a vector (1, width), through two linear layers."""
    half = sines // 2
    falling = np.arange(half, dtype=np.float32) * np.float32(
        -(math.log(WAVELENGTH_BASE) / (half - 1))
    )
    scaled = graph.add("Mul", [time, number(graph, TIME_SCALE)])
    angle = graph.add("Mul", [scaled, graph.constant(np.exp(falling)[None], np.float32)])
    waves = graph.add("Concat", [graph.add("Sin", [angle]), graph.add("Cos", [angle])], axis=1)
    return linear(
        graph, silu(graph, linear(graph, waves, "velocity.time.widen")), "velocity.time.mix"
    )


def conv_block(graph: Graph, hidden: str, name: str, seen: FramesSeen) -> str:
    """Causal convolution, norm over channels, Mish; (rows, channels, frames)."""
    mixed = seen.convolve(hidden, f"{name}.conv.conv")
    mixed = layer_norm(graph, graph.add("Transpose", [mixed], perm=[0, 2, 1]), f"{name}.norm")
    return graph.add("Mish", [graph.add("Transpose", [mixed], perm=[0, 2, 1])])


def residual_block(graph: Graph, hidden: str, name: str, time: str, seen: FramesSeen) -> str:
    """Two convolution blocks with the flow's time added between, beside a direct path."""
    moment = linear(graph, graph.add("Mish", [time]), f"{name}.time")
    moment = graph.add("Unsqueeze", [moment, graph.shape(2)])
    mixed = graph.add("Add", [conv_block(graph, hidden, f"{name}.first", seen), moment])
    mixed = conv_block(graph, mixed, f"{name}.second", seen)
    return graph.add("Add", [mixed, convolution(graph, hidden, f"{name}.direct")])


def transformer_block(
    graph: Graph, hidden: str, name: str, config: VelocityConfig, seen: FramesSeen
) -> str:
    """Attention without positions, then a network; (rows * frames, dim)."""
    normal = layer_norm(graph, hidden, f"{name}.attention_norm")
    sizes = graph.shape(ROWS, -1, config.heads, config.head_dim)
    query, key, value = (
        graph.add("Reshape", [linear(graph, normal, f"{name}.{part}_proj"), sizes])
        for part in "qkv"
    )
    mixed = seen.attend(query, key, value, config.heads, config.head_dim)
    hidden = graph.add("Add", [hidden, linear(graph, mixed, f"{name}.o_proj")])
    normal = layer_norm(graph, hidden, f"{name}.mlp_norm")
    inner = graph.add("Gelu", [linear(graph, normal, f"{name}.widen")])
    return graph.add("Add", [hidden, linear(graph, inner, f"{name}.narrow")])


def stage(
    graph: Graph, hidden: str, name: str, config: VelocityConfig, shared: tuple[str, FramesSeen]
) -> str:
    """A residual block and its transformer blocks."""
    time, seen = shared
    hidden = residual_block(graph, hidden, f"{name}.residual", time, seen)
    vectors = graph.add("Transpose", [hidden], perm=[0, 2, 1])
    vectors = graph.add("Reshape", [vectors, graph.shape(-1, config.dim)])
    for block in range(config.blocks):
        vectors = transformer_block(graph, vectors, f"{name}.blocks.{block}", config, seen)
    vectors = graph.add("Reshape", [vectors, graph.shape(ROWS, -1, config.dim)])
    return graph.add("Transpose", [vectors], perm=[0, 2, 1])


def inputs_of(graph: Graph, config: DecoderConfig) -> str:
    """Point, mean, speaker and given mel side by side, (1, inputs, frames).

    A diffusion transformer has the given mel before the mean, and the speaker last.
    """
    row = graph.add("Unsqueeze", ["speaker", graph.shape(0)])
    row = linear(graph, graph.add("LpNormalization", [row], axis=-1, p=2), "speaker")
    frames = length(graph, "point", 1)
    column = graph.add("Transpose", [row], perm=[1, 0])
    speaker = graph.add("Expand", [column, graph.add("Concat", [graph.shape(1), frames], axis=0)])
    transformer = isinstance(config.velocity, DiffusionTransformerConfig)
    order = ["given", "mean", speaker] if transformer else ["mean", speaker, "given"]
    known = graph.add("Mul", [graph.add("Concat", order, axis=0), "told"])
    row = graph.add("Concat", ["point", known], axis=0)
    return graph.add("Unsqueeze", [row, graph.shape(0)])


def moment(graph: Graph, sizes: VelocityConfig) -> str:
    """The flow's time (1, width); of a mean flow, the step's beginning and end in one."""
    time = flow_time(graph, sizes.inputs)
    if not sizes.mean_flow:
        return time
    both = graph.add("Concat", [time, flow_time(graph, sizes.inputs, END_OF_STEP)], axis=1)
    return linear(graph, both, "velocity.time_mixer")


def unet(graph: Graph, hidden: str, sizes: VelocityConfig, seen: FramesSeen) -> str:
    """CosyVoice 2's network over (rows, inputs, frames)."""
    shared = moment(graph, sizes), seen
    first = stage(graph, hidden, "velocity.first", sizes, shared)
    hidden = seen.convolve(first, "velocity.first_conv.conv")
    for index in range(sizes.middle):
        hidden = stage(graph, hidden, f"velocity.middle.{index}", sizes, shared)
    hidden = graph.add("Concat", [hidden, first], axis=1)
    hidden = stage(graph, hidden, "velocity.last", sizes, shared)
    hidden = seen.convolve(hidden, "velocity.last_conv.conv")
    hidden = conv_block(graph, hidden, "velocity.final", seen)
    return convolution(graph, hidden, "velocity.head")


def velocity_graph(
    config: DecoderConfig,
    stored: dict[str, StoredTensor],
    notes: dict[str, str],
    frames: Frames = "all",
) -> onnx.ModelProto:
    """The graph of a velocity: of all frames, or of the next chunk of a stream, or of several."""
    sizes = config.velocity
    assert sizes is not None, "a decoder with a flow has its sizes"
    graph = Graph(stored, OPSET)
    for name in ("point", "mean", "given"):
        takes(graph, name, TensorProto.FLOAT, config.bins, "frames")
    takes(graph, "speaker", TensorProto.FLOAT, config.speaker_dim)
    for name in ("time", "told", END_OF_STEP) if config.mean_flow else ("time", "told"):
        takes(graph, name, TensorProto.FLOAT)
    hidden = inputs_of(graph, config)
    if frames == "all":
        takes(graph, "chunk", TensorProto.INT64)
        seen: FramesSeen = AllFrames(graph, length(graph, "point", 1), "chunk")
    else:
        one = frames == "chunk"
        seen = Memory(graph) if one else MemoryOfChunks(graph, sizes.chunk_frames)
    if isinstance(sizes, DiffusionTransformerConfig):
        time = flow_time(graph, sizes.time_sines)
        hidden = diffusion_transformer(graph, hidden, sizes, time, seen)
    else:
        hidden = unet(graph, hidden, sizes, seen)
    if isinstance(seen, Memory):
        seen.finish(sizes.heads, sizes.head_dim)
    velocity = graph.add("Squeeze", [hidden, graph.shape(0)])
    gives(graph, "velocity", velocity, config.bins, "frames")
    return graph.model(notes)
