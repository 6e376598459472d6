"""Attention layers as nodes of a graph, with rotary positions and caches, in two forms.

GroupQueryAttention is one node, and the fastest where few query heads share a key, or few ids are
held. Where many share it, and by standard operators, ``shared_keys.py`` reads each key once.
"""

import numpy as np
from onnx import TensorProto

from mamtra.backbone import BackboneConfig
from mamtra.interop.onnx.graph import MICROSOFT
from mamtra.interop.onnx.layers import Form, Pass
from mamtra.interop.onnx.products import joined
from mamtra.interop.onnx.shared_keys import attend_to_shared_keys, prepare_shared_keys

MANY_QUERIES = (
    4  # that share a key; with 2 (nano) the operator is faster, with 7 up to 4 times slower
)
ROTARY_WIDTH = 16  # GroupQueryAttention rotates heads whose width is a multiple of this
ATTENTION_WIDTH = 8  # and takes heads of multiples of this


def in_one_node(config: BackboneConfig, form: Form) -> bool:
    """Whether GroupQueryAttention does it."""
    few = config.query_heads < MANY_QUERIES * config.kv_heads
    wanted = form == "short" or (form == "fused" and few)
    return wanted and config.head_dim % ATTENTION_WIDTH == 0


def cache_shapes(config: BackboneConfig, form: Form) -> tuple[tuple[int | str, ...], ...]:
    """Shapes of a layer's caches of keys and of values."""
    keys = ("batch", config.kv_heads, "capacity", config.head_dim)
    turned = ("batch", config.kv_heads, config.head_dim, "capacity")
    return keys, keys if in_one_node(config, form) else turned


def prepare_attention(step: Pass) -> None:
    """What all attention layers need to know of positions."""
    if not in_one_node(step.config, step.form):
        prepare_shared_keys(step)
        return
    graph = step.graph
    last = graph.add("Gather", [step.positions, graph.constant(-1, np.int64)], axis=1)
    step.last = graph.add("Cast", [last], to=TensorProto.INT32)
    most = graph.add("ReduceMax", [step.last], keepdims=0)
    step.total = graph.add("Add", [most, graph.constant(1, np.int32)])


def attend_in_one_node(step: Pass, flat: str, layer: int) -> str:
    """Attention of a layer on its caches by the operator; (batch, time, heads * width)."""
    config, width = step.config, step.config.head_dim
    heads, kv = config.query_heads, config.kv_heads
    flat = step.graph.add("Reshape", [flat, step.shape])
    ends = [f"keys.{layer}", f"values.{layer}", step.last, step.total]
    turns = width % ROTARY_WIDTH == 0
    if turns:
        inputs = [flat, "", "", *ends, step.cosine, step.sine]
    else:
        turned, value = step.split(flat, (heads + kv) * width, kv * width)
        turned = step.rotate(turned, heads + kv)
        query, key = step.split(turned, heads * width, kv * width)
        inputs = [query, key, value, *ends]
    mixed = f"attention.{layer}"
    step.graph.add_to(
        [mixed, f"next.keys.{layer}", f"next.values.{layer}"],
        "GroupQueryAttention",
        inputs,
        domain=MICROSOFT,
        num_heads=heads,
        kv_num_heads=kv,
        do_rotary=int(turns),
    )
    return mixed


def attention(step: Pass, vectors: str, layer: int) -> str:
    """Grouped-query attention with rotary positions and caches."""
    graph, config = step.graph, step.config
    mixer, width = f"backbone.layers.{layer}.mixer", config.head_dim
    bias = None
    if config.attention_bias:
        bias = joined(graph, tuple(f"{mixer}.{part}_proj.bias" for part in "qkv"))
    flat = step.product(vectors, f"{mixer}.qkv", bias)
    if step.reading is not None and step.reading.layer == layer:
        first = step.reading.head * width
        ends = [graph.shape(first), graph.shape(first + width), graph.shape(-1)]
        graph.add_to(["queries"], "Slice", [graph.add("Reshape", [flat, step.shape]), *ends])
    attend = attend_in_one_node if in_one_node(config, step.form) else attend_to_shared_keys
    mixed = attend(step, flat, layer)
    return step.product(step.reshape(mixed, -1, config.query_heads * width), f"{mixer}.out")
