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

import onnx
from onnx import TensorProto

from mamtra.acoustic.decoder import DecoderConfig
from mamtra.acoustic.token_encoder import (
    LAYER_EPS,
    TokenEncoderConfig,
)
from mamtra.interop.onnx.earlier_steps import EarlierSteps, HeldInputs, Zeros
from mamtra.interop.onnx.graph import Graph, StoredTensor
from mamtra.interop.onnx.modules import (
    OPSET,
    convolution,
    cut,
    gives,
    layer_norm,
    linear,
    looked_up,
    number,
    takes,
    to_signal,
    to_vectors,
    whole,
)
from mamtra.interop.onnx.relative_attention import (
    Rate,
    RateOfStream,
    RateOfWhole,
    relative_attention,
)

LEAK = 0.01  # PyTorch's own slope


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
    hidden = looked_up(graph, f"{name}.embedding.weight", "tokens")
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
