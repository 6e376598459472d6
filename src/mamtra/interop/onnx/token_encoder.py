"""The token encoder as nodes: speech tokens in, what it expects of the mel features out.

    tokens   (tokens) int64, those of the prompt included
    speaker  (speaker_dim), if the encoder hears the speaker
    kept     how many of the tokens get frames; fewer than all where more tokens will come
    chunk    tokens of a chunk, beyond which attention does not look; a large number for all;
             absent without layers

gives ``mean`` (bins, frames), before offset and scale.

A graph for streams takes the tokens of whole chunks, or of the last one, and after them those that
their lookahead sees; instead of ``chunk``

    context  tokens before its chunk that each token sees
    known.tokens, known.frames  (keys and values of a rate's layers, heads, steps before, width)
    held.N   the last steps before (``earlier_steps.py``)

and gives ``next.`` of each but the first. Each chunk sees what it would see in a pass of its own.
"""

import math

import numpy as np
import onnx
from onnx import TensorProto

from mamtra.acoustic.decoder import DecoderConfig
from mamtra.acoustic.token_encoder import (
    LAYER_EPS,
    WAVELENGTH_BASE,
    TokenEncoderConfig,
)
from mamtra.interop.onnx.earlier_steps import NEWEST, EarlierSteps, HeldInputs, Zeros
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


def silu(graph: Graph, vectors: str) -> str:
    """``x * sigmoid(x)``."""
    return graph.add("Mul", [vectors, graph.add("Sigmoid", [vectors])])


def feed_forward(
    graph: Graph, hidden: str, name: str, config: TokenEncoderConfig, rate: Rate, past: EarlierSteps
) -> str:
    """Two linear layers; the first sees the last few steps side by side."""
    taps = config.mlp_taps
    if taps > 1:
        longer, parts = past.behind(hidden, config.dim, taps - 1), list[str]()
        for tap in range(taps):
            end = graph.add("Add", [rate.time, graph.shape(tap)])
            parts.append(cut(graph, longer, graph.shape(tap), end, 0))
        hidden = graph.add("Concat", parts, axis=1)
    return linear(graph, silu(graph, linear(graph, hidden, f"{name}.widen")), f"{name}.narrow")


def encoder_layer(
    graph: Graph, hidden: str, name: str, config: TokenEncoderConfig, rate: Rate, past: EarlierSteps
) -> str:
    """Attention, then a network, each after a norm and added to what came in."""
    normal = layer_norm(graph, hidden, f"{name}.attention_norm", LAYER_EPS)
    mixed = relative_attention(graph, normal, f"{name}.attention", config, rate)
    hidden = graph.add("Add", [hidden, mixed])
    normal = layer_norm(graph, hidden, f"{name}.mlp_norm", LAYER_EPS)
    mixed = feed_forward(graph, normal, f"{name}.mlp", config, rate, past)
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


def after_lookahead(graph: Graph, config: TokenEncoderConfig, past: EarlierSteps) -> str:
    """The tokens that are kept, (kept, dim), each with what follows it in sight."""
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
    kept = graph.add("Unsqueeze", ["kept", graph.shape(0)])
    inner = past.convolve(cut(graph, inner, graph.shape(0), kept, 2), f"{name}.lookahead.behind")
    hidden = cut(graph, hidden, graph.shape(0), kept, 0)
    return graph.add("Add", [hidden, to_vectors(graph, inner)])


def token_encoder(graph: Graph, config: TokenEncoderConfig, stream: bool) -> str:
    """Hidden vectors (frames, dim)."""
    name, times = "encoder", config.frames_per_token
    past: EarlierSteps = HeldInputs(graph) if stream else Zeros(graph)
    hidden = after_lookahead(graph, config, past)
    if config.plain:
        return repeated(graph, hidden, config)

    def through(hidden: str, names: str, layers: int, of: str, steps: int) -> str:
        """All layers at one rate, at which a token has so many steps."""
        size = graph.add("Mul", ["context" if stream else "chunk", whole(graph, steps)])
        chunk = config.chunk_tokens * steps
        if stream:
            rate = RateOfStream(graph, hidden, config, f"known.{of}", layers, chunk, size)
        else:
            rate = RateOfWhole(graph, hidden, config.dim, size)
        for layer in range(layers):
            of_layer = f"{name}.{names}.{layer}"
            hidden = encoder_layer(graph, hidden, of_layer, config, rate, past)
        if isinstance(rate, RateOfStream):
            rate.finish()
        return hidden

    hidden = through(hidden, "layers", config.lower_layers, "tokens", 1)
    inner = to_signal(graph, repeated(graph, hidden, config))
    inner = past.convolve(inner, f"{name}.upsampling.conv")
    hidden = entrance(graph, to_vectors(graph, inner), f"{name}.upper_entrance", config)
    hidden = through(hidden, "upper_layers", config.upper_layers, "frames", times)
    return layer_norm(graph, hidden, f"{name}.norm")


def decoder_graph(
    config: DecoderConfig,
    stored: dict[str, StoredTensor],
    notes: dict[str, str],
    stream: bool = False,
) -> onnx.ModelProto:
    """The graph from speech tokens to the expected mel features: of all, or of the next chunks."""
    graph = Graph(stored, OPSET)
    takes(graph, "tokens", TensorProto.INT64, "tokens")
    if config.encoder.speaker_dim:
        takes(graph, "speaker", TensorProto.FLOAT, config.speaker_dim)
    plain = config.encoder.plain
    for name in ("kept",) if plain else ("kept", "context" if stream else "chunk"):
        takes(graph, name, TensorProto.INT64)
    hidden = token_encoder(graph, config.encoder, stream)
    expected = hidden if plain else linear(graph, hidden, "mean_head")
    mean = graph.add("Transpose", [expected], perm=[1, 0])
    gives(graph, "mean", mean, config.bins, "frames")
    return graph.model(notes)
