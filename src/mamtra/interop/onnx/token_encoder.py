"""The token encoder as nodes: speech tokens in, what it expects of the mel features out.

    tokens   (tokens) int64, those of the prompt included
    speaker  (speaker_dim), if the encoder hears the speaker
    kept     how many of the tokens get frames; fewer than all where more tokens will come
    chunk    tokens of a chunk, beyond which attention does not look; a large number for all;
             absent without layers
    shift    tokens by which the first chunk is shorter; only where a flow follows

gives ``mean`` (bins, frames), before offset and scale.
"""

import math

import numpy as np
import onnx
from onnx import TensorProto

from mamtra.acoustic.decoder import DecoderConfig
from mamtra.acoustic.token_encoder import (
    LAYER_EPS,
    SMOOTHING,
    WAVELENGTH_BASE,
    TokenEncoderConfig,
)
from mamtra.interop.onnx.graph import Graph, StoredTensor
from mamtra.interop.onnx.modules import (
    OPSET,
    convolution,
    count,
    cut,
    gives,
    layer_norm,
    length,
    linear,
    number,
    takes,
    to_signal,
    to_vectors,
    whole,
)

LEAK = 0.01  # PyTorch's own slope
FLOOR = float(np.finfo(np.float32).min)  # added to scores that must not count


def sine_positions(graph: Graph, time: str, dim: int) -> str:
    """Sines and cosines, interleaved, of the distances ``time - 1`` down to ``-time``."""
    limit = graph.add("Squeeze", [time])
    first = graph.add("Sub", [limit, whole(graph, 1)])
    end = graph.add("Sub", [graph.add("Neg", [limit]), whole(graph, 1)])
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


def hidden_beyond_chunks(graph: Graph, time: str, chunk: str, shift: str | None = None) -> str:
    """(time, time): what is added to scores so that nothing beyond its own chunk counts.

    The first chunk is ``shift`` steps shorter than the others.
    """
    step = count(graph, time)
    moved = graph.add("Add", [step, shift]) if shift else step
    reach = graph.add("Add", [graph.add("Div", [moved, chunk]), whole(graph, 1)])
    reach = graph.add("Mul", [reach, chunk])
    reach = graph.add("Sub", [reach, shift]) if shift else reach
    column = graph.add("Unsqueeze", [reach, graph.shape(1)])
    seen = graph.add("Less", [step, column])
    return graph.add("Where", [seen, number(graph, 0.0), number(graph, FLOOR)])


class Rate:
    """What the layers at one rate share: length, positions, mask, and how to turn distances."""

    def __init__(self, graph: Graph, hidden: str, dim: int, chunk: str, shift: str | None) -> None:
        self.graph = graph
        self.time = length(graph, hidden, 0)
        self.positions = sine_positions(graph, self.time, dim)
        self.mask = hidden_beyond_chunks(graph, self.time, chunk, shift)
        one = graph.shape(1)
        self.first = graph.add("Sub", [self.time, one])
        self.row = graph.add("Add", [self.time, self.first])
        many = graph.add("Mul", [self.time, self.row])
        self.last = graph.add("Add", [self.first, many])
        self.rows = graph.add("Concat", [graph.shape(0, -1), self.row], axis=0)

    def by_key(self, scores: str) -> str:
        """Scores per (query, distance), (heads, time, 2 time), as scores per (query, key)."""
        graph = self.graph
        flat = graph.add("Reshape", [scores, graph.shape(0, -1)])
        flat = cut(graph, flat, self.first, self.last, 1)
        return cut(graph, graph.add("Reshape", [flat, self.rows]), graph.shape(0), self.time, 2)


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
    key = split(linear(graph, hidden, f"{name}.k_proj"), 1, 2, 0)
    value = split(linear(graph, hidden, f"{name}.v_proj"), 1, 0, 2)
    distance = split(linear(graph, rate.positions, f"{name}.position_proj"), 1, 2, 0)
    content = graph.add("MatMul", [toward("content_bias"), key])
    place = rate.by_key(graph.add("MatMul", [toward("position_bias"), distance]))
    scores = graph.add("Add", [graph.add("Add", [content, place]), rate.mask])
    mixed = graph.add("MatMul", [graph.add("Softmax", [scores], axis=-1), value])
    mixed = graph.add("Transpose", [mixed], perm=[1, 0, 2])
    return linear(
        graph, graph.add("Reshape", [mixed, graph.shape(-1, config.dim)]), f"{name}.o_proj"
    )


def silu(graph: Graph, vectors: str) -> str:
    """``x * sigmoid(x)``."""
    return graph.add("Mul", [vectors, graph.add("Sigmoid", [vectors])])


def feed_forward(graph: Graph, hidden: str, name: str, taps: int, time: str) -> str:
    """Two linear layers; the first sees the last few steps side by side."""
    if taps > 1:
        padded = graph.add("Pad", [hidden, graph.shape(taps - 1, 0, 0, 0)])
        parts = []
        for tap in range(taps):
            end = graph.add("Add", [time, graph.shape(tap)])
            parts.append(cut(graph, padded, graph.shape(tap), end, 0))
        hidden = graph.add("Concat", parts, axis=1)
    return linear(graph, silu(graph, linear(graph, hidden, f"{name}.widen")), f"{name}.narrow")


def encoder_layer(
    graph: Graph, hidden: str, name: str, config: TokenEncoderConfig, rate: Rate
) -> str:
    """Attention, then a network, each after a norm and added to what came in."""
    normal = layer_norm(graph, hidden, f"{name}.attention_norm", LAYER_EPS)
    mixed = relative_attention(graph, normal, f"{name}.attention", config, rate)
    hidden = graph.add("Add", [hidden, mixed])
    normal = layer_norm(graph, hidden, f"{name}.mlp_norm", LAYER_EPS)
    mixed = feed_forward(graph, normal, f"{name}.mlp", config.mlp_taps, rate.time)
    return graph.add("Add", [hidden, mixed])


def entrance(graph: Graph, hidden: str, name: str, config: TokenEncoderConfig) -> str:
    """A linear layer, the speaker's colour and a norm, scaled as the sine positions ask."""
    hidden = linear(graph, hidden, f"{name}.linear")
    if config.speaker_dim:
        row = graph.add("Unsqueeze", ["speaker", graph.shape(0)])
        row = graph.add("LpNormalization", [row], axis=-1, p=2)
        hidden = graph.add("Add", [hidden, linear(graph, row, f"{name}.speaker")])
    normal = layer_norm(graph, hidden, f"{name}.norm")
    return graph.add("Mul", [normal, number(graph, math.sqrt(config.dim))])


def repeated(graph: Graph, hidden: str, config: TokenEncoderConfig) -> str:
    """Each vector (tokens, dim) once for each of its frames."""
    wide = graph.add("Unsqueeze", [hidden, graph.shape(1)])
    wide = graph.add("Expand", [wide, graph.shape(1, config.frames_per_token, 1)])
    return graph.add("Reshape", [wide, graph.shape(-1, config.dim)])


def token_encoder(graph: Graph, config: TokenEncoderConfig, shift: str | None = None) -> str:
    """Hidden vectors (frames, dim)."""
    name = "encoder"
    hidden = graph.add("Gather", [graph.raw(f"{name}.embedding.weight"), "tokens"])
    if graph.stored[f"{name}.embedding.weight"].kind != TensorProto.FLOAT:
        hidden = graph.add("Cast", [hidden], to=TensorProto.FLOAT)
    if not config.plain:
        hidden = entrance(graph, hidden, f"{name}.entrance", config)
    # zeros beyond the end: where more will come, what sees them is cut off
    inner = to_signal(graph, hidden)
    inner = convolution(graph, inner, f"{name}.lookahead.ahead", (0, config.lookahead_tokens))
    inner = graph.add("LeakyRelu", [inner], alpha=LEAK)
    inner = convolution(graph, inner, f"{name}.lookahead.behind", (SMOOTHING - 1, 0))
    hidden = graph.add("Add", [hidden, to_vectors(graph, inner)])
    kept = graph.add("Unsqueeze", ["kept", graph.shape(0)])
    hidden = cut(graph, hidden, graph.shape(0), kept, 0)
    if config.plain:
        return repeated(graph, hidden, config)
    rate = Rate(graph, hidden, config.dim, "chunk", shift)
    for layer in range(config.lower_layers):
        hidden = encoder_layer(graph, hidden, f"{name}.layers.{layer}", config, rate)
    times = config.frames_per_token
    inner = to_signal(graph, repeated(graph, hidden, config))
    inner = convolution(graph, inner, f"{name}.upsampling.conv", (2 * times, 0))
    hidden = entrance(graph, to_vectors(graph, inner), f"{name}.upper_entrance", config)
    chunk, shift = (
        size and graph.add("Mul", [size, whole(graph, times)]) for size in ("chunk", shift)
    )
    rate = Rate(graph, hidden, config.dim, str(chunk), shift)
    for layer in range(config.upper_layers):
        hidden = encoder_layer(graph, hidden, f"{name}.upper_layers.{layer}", config, rate)
    return layer_norm(graph, hidden, f"{name}.norm")


def decoder_graph(
    config: DecoderConfig, stored: dict[str, StoredTensor], notes: dict[str, str]
) -> onnx.ModelProto:
    """The graph from speech tokens to the expected mel features."""
    graph = Graph(stored, OPSET)
    takes(graph, "tokens", TensorProto.INT64, "tokens")
    if config.encoder.speaker_dim:
        takes(graph, "speaker", TensorProto.FLOAT, config.speaker_dim)
    plain = config.encoder.plain
    shift = "shift" if config.steps and not plain else None
    for name in ("kept",) if plain else ("kept", "chunk", *filter(None, [shift])):
        takes(graph, name, TensorProto.INT64)
    hidden = token_encoder(graph, config.encoder, shift)
    expected = hidden if plain else linear(graph, hidden, "mean_head")
    mean = graph.add("Transpose", [expected], perm=[1, 0])
    gives(graph, "mean", mean, config.bins, "frames")
    return graph.model(notes)
