"""Grouped-query attention as plain products, so that each key is read once.

onnxruntime's operator goes through keys and values once for every query head that shares them. Here
these heads are the columns of one matrix, and the caches stand on the left of both products, where
they are read in their order and never copied:

    scores   keys (capacity, width) x queries (width, group * time)
    mixed    values (width, capacity) x weights (capacity, group * time)

So values are stored with their places last. Places that hold nothing yet, or lie ahead, weigh 0.
"""

import numpy as np

from mamtra.interop.onnx.graph import MICROSOFT
from mamtra.interop.onnx.layers import Pass


def prepare_shared_keys(step: Pass) -> None:
    """What all layers need: where new ids are stored, and what each may not see."""
    graph, config = step.graph, step.config
    kv, width, group = config.kv_heads, config.head_dim, config.query_heads // config.kv_heads
    sizes = graph.shape(config.query_heads + 2 * kv, width)
    step.heads = graph.add("Concat", [graph.add("Shape", ["ids"]), sizes], axis=0)
    for axes, room in (((1, 3), (1, kv, 1, width)), ((1, 2), (1, kv, width, 1))):
        places = graph.add("Unsqueeze", [step.positions, graph.shape(*axes)])
        step.places.append(graph.add("Expand", [places, graph.shape(*room)]))
    capacity = graph.add("Shape", [f"keys.{config.layout.index('A')}"], start=2, end=3)
    ends = [graph.constant(0, np.int64), graph.add("Squeeze", [capacity])]
    stored = graph.add("Range", [*ends, graph.constant(1, np.int64)])
    asking = graph.add("Unsqueeze", [step.positions, graph.shape(1, 2, 4)])
    visible = graph.add("LessOrEqual", [stored, asking])
    weighs, hidden = (graph.constant(value, np.float32) for value in (0, -np.inf))
    hidden = graph.add("Where", [visible, weighs, hidden])
    hidden = graph.add("Expand", [hidden, graph.shape(1, 1, group, 1, 1)])
    rows = graph.add("Concat", [graph.shape(0, 1, -1), capacity], axis=0)
    step.hidden = graph.add("Reshape", [hidden, rows])


def stored(step: Pass, name: str, new: str, places: str, axis: int) -> str:
    """A cache with new entries at their places."""
    step.graph.add_to([f"next.{name}"], "ScatterElements", [name, places, new], axis=axis)
    return f"next.{name}"


def times_transposed(step: Pass, left: str, right: str, factor: float = 1.0) -> str:
    """The product of two stacks of matrices, the second transposed, times a number."""
    graph = step.graph
    if step.form == "fused":
        more = {"transB": 1, "alpha": factor}
        return graph.add("FusedMatMul", [left, right], domain=MICROSOFT, **more)
    right = graph.add("Transpose", [right], perm=[0, 1, 3, 2])
    return graph.add(
        "Mul", [graph.add("MatMul", [left, right]), graph.constant(factor, np.float32)]
    )


def attend_to_shared_keys(step: Pass, flat: str, layer: int) -> str:
    """Attention of a layer on its caches.

    Args:
        step: the pass.
        flat: (batch * time, width of all heads): queries, keys and values, not yet rotated.
        layer: its number.

    Returns:
        (batch, time, kv_heads, group, width).
    """
    graph, config = step.graph, step.config
    heads, kv, width = config.query_heads, config.kv_heads, config.head_dim
    cut = graph.add("Transpose", [graph.add("Reshape", [flat, step.heads])], perm=[0, 2, 1, 3])
    turned, values = step.split(cut, heads + kv, kv, axis=1)
    queries, keys = step.split(step.rotate(turned, heads + kv), heads, kv, axis=1)
    values = graph.add("Transpose", [values], perm=[0, 1, 3, 2])
    keys = stored(step, f"keys.{layer}", keys, step.places[0], 2)
    values = stored(step, f"values.{layer}", values, step.places[1], 3)
    queries = step.reshape(queries, 0, kv, -1, width)
    scores = times_transposed(step, keys, queries, width**-0.5)
    scores = graph.add("Transpose", [scores], perm=[0, 1, 3, 2])
    weights = graph.add("Softmax", [graph.add("Add", [scores, step.hidden])], axis=-1)
    mixed = times_transposed(step, values, weights)
    mixed = step.reshape(mixed, 0, 0, 0, heads // kv, -1)
    return graph.add("Transpose", [mixed], perm=[0, 4, 1, 3, 2])
