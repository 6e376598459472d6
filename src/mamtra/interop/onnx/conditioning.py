"""What a language model that reads voices (Chatterbox's) is given of one, as a graph.

    speaker  (speaker_dim): the voice's vector
    prompt   (tokens) int64: speech ids of its recording
    emotion  how lively it speaks

gives ``voice`` (1 + vectors, dim): a row of zeros, which stands for text that is not read, then the
vectors that come before a text (``speech_lm/conditioning.py``).
"""

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import TensorProto

from mamtra.interop.onnx.graph import Graph, StoredTensor
from mamtra.interop.onnx.modules import (
    OPSET,
    cut,
    gives,
    layer_norm,
    length,
    linear,
    looked_up,
    number,
    takes,
)
from mamtra.speech_lm.conditioning_config import ConditioningConfig

NAME = "conditioning.resampler"


def attend(graph: Graph, queries: str, prompt: str, heads: int) -> str:
    """The queries (queries, dim) and what they found in the prompt (tokens, dim)."""
    dim = graph.size(f"{NAME}.norm.weight")[0]
    asking, asked = (layer_norm(graph, each, f"{NAME}.norm") for each in (queries, prompt))
    cut_heads = graph.shape(-1, heads, dim // heads)
    query, key, value = (
        graph.add("Reshape", [linear(graph, vectors, f"{NAME}.to_{part}"), cut_heads])
        for part, vectors in (("q", asking), ("k", asked), ("v", asked))
    )
    query = graph.add("Transpose", [query], perm=[1, 0, 2])
    scores = graph.add("MatMul", [query, graph.add("Transpose", [key], perm=[1, 2, 0])])
    scores = graph.add("Mul", [scores, number(graph, (dim // heads) ** -0.5)])
    weights = graph.add("Softmax", [scores], axis=-1)
    found = graph.add("MatMul", [weights, graph.add("Transpose", [value], perm=[1, 0, 2])])
    found = graph.add("Transpose", [found], perm=[1, 0, 2])
    found = graph.add("Reshape", [found, graph.shape(-1, dim)])
    return graph.add("Add", [queries, linear(graph, found, f"{NAME}.out_proj")])


def conditioning_graph(
    config: ConditioningConfig, stored: Mapping[str, StoredTensor], notes: dict[str, str]
) -> onnx.ModelProto:
    """The graph from a voice to the vectors that the language model reads."""
    graph = Graph(dict(stored), OPSET)
    takes(graph, "speaker", TensorProto.FLOAT, config.speaker_dim)
    takes(graph, "prompt", TensorProto.INT64, "tokens")
    takes(graph, "emotion", TensorProto.FLOAT)
    positions = graph.weight("conditioning.speech_positions.weight")
    positions = cut(graph, positions, graph.shape(0), length(graph, "prompt", 0), 0)
    prompt = graph.add("Add", [looked_up(graph, "speech_embedding.weight", "prompt"), positions])
    queries = graph.add("Squeeze", [graph.weight(f"{NAME}.queries"), graph.shape(0)])
    found = attend(graph, queries, prompt, config.prompt_heads)
    found = attend(graph, found, found, config.prompt_heads)
    speaker = graph.add("Unsqueeze", ["speaker", graph.shape(0)])
    emotion = graph.add("Reshape", ["emotion", graph.shape(1, 1)])
    dim = graph.size(f"{NAME}.norm.weight")[0]
    rows = [
        graph.constant(np.zeros((1, dim)), np.float32),
        linear(graph, speaker, "conditioning.speaker"),
        found,
        linear(graph, emotion, "conditioning.emotion"),
    ]
    gives(graph, "voice", graph.add("Concat", rows, axis=0), "vectors", dim)
    return graph.model(notes)
