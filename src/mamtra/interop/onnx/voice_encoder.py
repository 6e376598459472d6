"""The parts that make a voice as graphs: speech tokenizer and speaker encoder.

    mel   (bins, frames)

gives ``tokens`` (frames / 2) int64, or ``speaker`` (width), of length one.
"""

import numpy as np
import onnx
from onnx import TensorProto

from mamtra.acoustic.quantizer import BOUND, LEVELS
from mamtra.acoustic.speaker import VARIANCE_FLOOR, SpeakerConfig
from mamtra.acoustic.speech_tokenizer import FRAMES_PER_TOKEN, SpeechTokenizerConfig
from mamtra.interop.onnx.graph import Graph, StoredTensor
from mamtra.interop.onnx.modules import (
    OPSET,
    convolution,
    cut,
    gives,
    layer_norm,
    length,
    linear,
    number,
    takes,
    to_signal,
    to_vectors,
)

SCALE_FLOOR = 1e-3  # added to a clip's scale, as in the module


def pairs_of_frames(graph: Graph, bins: int) -> str:
    """(tokens, 2 * bins): normalised frames, two side by side; an odd last one counts for means."""
    mel = "mel"
    frames = length(graph, mel, 1)
    tokens = graph.add("Div", [frames, graph.shape(FRAMES_PER_TOKEN)])
    even = graph.add("Mul", [tokens, graph.shape(FRAMES_PER_TOKEN)])
    mel = cut(graph, mel, graph.shape(0), even, 1)
    count = graph.add("Cast", [graph.add("Max", [frames, graph.shape(1)])], to=TensorProto.FLOAT)
    total = graph.add("ReduceSum", [mel, graph.shape(1)], keepdims=1)
    centred = graph.add("Sub", [mel, graph.add("Div", [total, count])])
    power = graph.add("ReduceSumSquare", [centred], keepdims=0)
    cells = graph.add("Mul", [count, number(graph, bins)])
    scale = graph.add("Sqrt", [graph.add("Div", [power, cells])])
    scale = graph.add("Add", [scale, number(graph, SCALE_FLOOR)])
    normal = graph.add("Transpose", [graph.add("Div", [centred, scale])], perm=[1, 0])
    return graph.add("Reshape", [normal, graph.shape(-1, FRAMES_PER_TOKEN * bins)])


def tokenizer_graph(
    config: SpeechTokenizerConfig, stored: dict[str, StoredTensor], notes: dict[str, str]
) -> onnx.ModelProto:
    """The graph from mel features to speech tokens."""
    graph = Graph(stored, OPSET)
    takes(graph, "mel", TensorProto.FLOAT, config.bins, "frames")
    hidden = linear(graph, pairs_of_frames(graph, config.bins), "stem")
    reach = config.kernel // 2
    for block in range(config.blocks):
        name = f"blocks.{block}"
        mixed = convolution(
            graph, to_signal(graph, hidden), f"{name}.mix", (reach, reach), group=config.dim
        )
        inner = layer_norm(graph, to_vectors(graph, mixed), f"{name}.norm")
        inner = graph.add("Relu", [linear(graph, inner, f"{name}.widen")])
        hidden = graph.add("Add", [hidden, linear(graph, inner, f"{name}.narrow")])
    numbers = linear(graph, layer_norm(graph, hidden, "norm"), "quantizer.down")
    bounded = graph.add("Mul", [graph.add("Tanh", [numbers]), number(graph, BOUND)])
    digits = graph.add("Cast", [graph.add("Round", [bounded])], to=TensorProto.INT64)
    digits = graph.add("Add", [digits, graph.constant(1, np.int64)])
    values = graph.constant(LEVELS ** np.arange(config.digits), np.int64)
    tokens = graph.add(
        "ReduceSum", [graph.add("Mul", [digits, values]), graph.shape(1)], keepdims=0
    )
    gives(graph, "tokens", tokens, "tokens", kind=TensorProto.INT64)
    return graph.model(notes)


def speaker_graph(
    config: SpeakerConfig, stored: dict[str, StoredTensor], notes: dict[str, str]
) -> onnx.ModelProto:
    """The graph from mel features to the speaker's vector."""
    graph = Graph(stored, OPSET)
    takes(graph, "mel", TensorProto.FLOAT, config.bins, "frames")
    hidden = graph.add("Sub", ["mel", number(graph, config.mel_offset)])
    hidden = graph.add("Div", [hidden, number(graph, config.mel_scale)])
    signal = graph.add("Unsqueeze", [hidden, graph.shape(0)])
    reach, vectors = config.kernel // 2, ""
    for layer in range(config.layers):
        signal = to_signal(graph, vectors) if layer else signal
        mixed = to_vectors(
            graph, convolution(graph, signal, f"layers.{layer}.conv", (reach, reach))
        )
        vectors = graph.add("Relu", [layer_norm(graph, mixed, f"layers.{layer}.norm")])
    mean = graph.add("ReduceMean", [vectors, graph.shape(0)], keepdims=1)
    apart = graph.add("Sub", [vectors, mean])
    variance = graph.add(
        "ReduceMean", [graph.add("Mul", [apart, apart]), graph.shape(0)], keepdims=1
    )
    spread = graph.add("Sqrt", [graph.add("Add", [variance, number(graph, VARIANCE_FLOOR)])])
    pooled = graph.add("Concat", [mean, spread], axis=1)
    found = graph.add("LpNormalization", [linear(graph, pooled, "projection")], axis=-1, p=2)
    gives(graph, "speaker", graph.add("Squeeze", [found, graph.shape(0)]), config.width)
    return graph.model(notes)
