"""The usual modules of the acoustic parts as nodes: linear layers, norms, convolutions.

Vectors lie (time, dim), signals (1, channels, time): graphs of acoustic parts handle one utterance.
"""

import numpy as np
from onnx import TensorProto, helper

from mamtra.interop.onnx.graph import Graph

OPSET = 20  # Gelu is the newest operator used


def linear(graph: Graph, vectors: str, name: str) -> str:
    """A linear layer over (time, dim)."""
    inputs = [vectors, graph.weight(f"{name}.weight")]
    if f"{name}.bias" in graph.stored:
        inputs.append(graph.weight(f"{name}.bias"))
    return graph.add("Gemm", inputs, transB=1)


def layer_norm(graph: Graph, vectors: str, name: str, eps: float = 1e-5) -> str:
    """A layer norm over the last axis; the default is PyTorch's."""
    inputs = [vectors, graph.weight(f"{name}.weight"), graph.weight(f"{name}.bias")]
    return graph.add("LayerNormalization", inputs, axis=-1, epsilon=eps)


def looked_up(graph: Graph, table: str, ids: str) -> str:
    """Rows of a stored table, which stays as it is stored: it is large, and few are needed."""
    rows = graph.add("Gather", [graph.raw(table), ids])
    if graph.stored[table].kind != TensorProto.FLOAT:
        rows = graph.add("Cast", [rows], to=TensorProto.FLOAT)
    return rows


def convolution(
    graph: Graph,
    signal: str,
    name: str,
    pads: tuple[int, int] = (0, 0),
    *,
    dilation: int = 1,
    stride: int = 1,
    group: int = 1,
) -> str:
    """A convolution over (1, channels, time), zeros added before and after."""
    inputs = [signal, graph.weight(f"{name}.weight"), graph.weight(f"{name}.bias")]
    return graph.add(
        "Conv",
        inputs,
        kernel_shape=[graph.size(f"{name}.weight")[2]],
        pads=list(pads),
        dilations=[dilation],
        strides=[stride],
        group=group,
    )


def to_signal(graph: Graph, vectors: str) -> str:
    """(time, dim) as (1, dim, time)."""
    turned = graph.add("Transpose", [vectors], perm=[1, 0])
    return graph.add("Unsqueeze", [turned, graph.shape(0)])


def to_vectors(graph: Graph, signal: str) -> str:
    """(1, dim, time) as (time, dim)."""
    flat = graph.add("Squeeze", [signal, graph.shape(0)])
    return graph.add("Transpose", [flat], perm=[1, 0])


def number(graph: Graph, value: float | int) -> str:
    """A float32 scalar."""
    return graph.constant(value, np.float32)


def whole(graph: Graph, value: int) -> str:
    """An int64 scalar."""
    return graph.constant(value, np.int64)


def length(graph: Graph, tensor: str, axis: int) -> str:
    """Size of an axis, as a vector of one number."""
    return graph.add("Shape", [tensor], start=axis, end=axis + 1)


def cut(graph: Graph, tensor: str, start: str, end: str, axis: int) -> str:
    """A part of an axis; start and end are vectors of one number."""
    return graph.add("Slice", [tensor, start, end, graph.shape(axis)])


def count(graph: Graph, size: str) -> str:
    """0, 1, ... below a size, which is a vector of one number."""
    limit = graph.add("Squeeze", [size])
    return graph.add("Range", [whole(graph, 0), limit, whole(graph, 1)])


def takes(graph: Graph, name: str, kind: int, *sizes: int | str) -> None:
    """Declare an input."""
    graph.inputs.append(helper.make_tensor_value_info(name, kind, sizes))


def promises(graph: Graph, name: str, kind: int, *sizes: int | str) -> None:
    """Declare an output that a node of this name makes."""
    graph.outputs.append(helper.make_tensor_value_info(name, kind, sizes))


def gives(
    graph: Graph, name: str, tensor: str, *sizes: int | str, kind: int = TensorProto.FLOAT
) -> None:
    """Declare an output, and which tensor it is."""
    graph.add_to([name], "Identity", [tensor])
    promises(graph, name, kind, *sizes)
