"""Recurrent layers as nodes of a graph: Mamba and Gated DeltaNet, as gated linear attention.

One operator is the recurrence of both: Mamba's is its rule ``gated``, with B as keys and x dt as
values, Gated DeltaNet's its rule ``gated_delta``.
"""

import numpy as np

from mamtra.backbone.mixers.variant import Variant
from mamtra.interop.onnx.graph import MICROSOFT
from mamtra.interop.onnx.layers import Pass


def convolution(step: Pass, inputs: str, layer: int, variant: Variant) -> str:
    """The short convolution of a recurrent layer with its activation."""
    graph, config = step.graph, variant
    place = f"backbone.layers.{layer}.mixer.conv1d"
    active = config.activation == "silu"
    if config.conv_width > 1:
        turned = graph.add("Transpose", [inputs], perm=[0, 2, 1])
        mixed, window = f"convolved.{layer}", f"window.{layer}"
        graph.add_to(
            [mixed, f"next.{window}"],
            "CausalConvWithState",
            [turned, graph.weight(f"{place}.weight"), graph.weight(f"{place}.bias"), window],
            domain="" if step.form == "standard" else MICROSOFT,
            activation="silu" if active else "none",
        )
        return graph.add("Transpose", [mixed], perm=[0, 2, 1])
    if config.conv_width == 1:
        weight = step.reshape(graph.weight(f"{place}.weight"), config.channels)
        inputs = graph.add("Mul", [inputs, weight])
        inputs = graph.add("Add", [inputs, graph.weight(f"{place}.bias")])
    return step.silu(inputs) if active else inputs


def input_bias(step: Pass, mixer: str, sections: dict[str, int], ends: tuple[str, ...]) -> str:
    """The bias of the first product, those of its last rows (dt, beta) included."""
    graph = step.graph
    rows = sum(sections.values()) - sum(graph.size(f"{mixer}.{name}")[0] for name in ends)
    before = graph.constant(np.zeros(rows, np.float32))
    parts = [before, *(graph.weight(f"{mixer}.{name}") for name in ends)]
    bias = graph.add("Concat", parts, axis=0)
    if f"{mixer}.in_proj.bias" in graph.stored:
        bias = graph.add("Add", [bias, graph.weight(f"{mixer}.in_proj.bias")])
    return bias


def log_decay(step: Pass, mixer: str, dt: str) -> str:
    """``-dt exp(A_log)``."""
    rate = step.graph.add("Exp", [step.graph.weight(f"{mixer}.A_log")])
    return step.graph.add("Mul", [dt, step.graph.add("Neg", [rate])])


def repeated(step: Pass, heads: str, kv: int, group: int, width: int) -> str:
    """(batch, time, kv * width) with each head for its whole group."""
    if group == 1:
        return heads
    ones = step.graph.constant(np.ones((group, 1), np.float32))
    wide = step.graph.add("Mul", [step.reshape(heads, 0, 0, kv, 1, width), ones])
    return step.reshape(wide, 0, 0, kv * group * width)


def attend_linearly(
    step: Pass, inputs: list[str], layer: int, heads: tuple[int, int], rule: str
) -> str:
    """The recurrence, (batch, time, heads * width); its state is that of the layer."""
    mixed, state = f"scanned.{layer}", f"scan.{layer}"
    reads, writes, values, *gates = inputs
    step.graph.add_to(
        [mixed, f"next.{state}"],
        "LinearAttention",
        [reads, writes, values, state, *gates],
        domain="" if step.form == "standard" else MICROSOFT,
        q_num_heads=heads[0],
        kv_num_heads=heads[1],
        scale=1.0,
        update_rule=rule,
    )
    return mixed


def scan(step: Pass, parts: tuple[str, str, str, str], layer: int) -> str:
    """The selective scan as gated linear attention, and the skip connection.

    Args:
        step: the pass.
        parts: x as (batch, time, kv_heads, 1, width), B, C, and the raw dt.
        layer: its number.

    Returns:
        (batch, time, kv_heads, group, width).
    """
    graph, config = step.graph, step.config.mamba_sizes
    mixer = f"backbone.layers.{layer}.mixer"
    x, writes, reads, raw = parts
    kv, group, width = config.kv_heads, config.heads // config.kv_heads, config.head_dim
    dt = graph.add("Softplus", [raw])
    decay = log_decay(step, mixer, dt)
    dt = step.reshape(dt, 0, 0, kv, config.states // kv, 1)
    values = step.reshape(graph.add("Mul", [x, dt]), 0, 0, config.states * width)
    if step.form == "standard":
        writes = repeated(step, writes, kv, config.states // kv, config.state_dim)
    heads = config.heads, config.states
    mixed = attend_linearly(step, [reads, writes, values, decay], layer, heads, "gated")
    skip = graph.add("Mul", [x, step.reshape(graph.weight(f"{mixer}.D"), kv, group, 1)])
    return graph.add("Add", [step.reshape(mixed, 0, 0, kv, group, width), skip])


def mamba(step: Pass, vectors: str, layer: int) -> str:
    """A Mamba layer in any of its variants."""
    graph, config = step.graph, step.config.mamba_sizes
    mixer, sections = f"backbone.layers.{layer}.mixer", config.sections
    kv, group, width = config.kv_heads, config.heads // config.kv_heads, config.head_dim
    flat = graph.add(
        "Reshape",
        [
            step.product(vectors, f"{mixer}.in", input_bias(step, mixer, sections, ("dt_bias",))),
            step.shape,
        ],
    )
    sizes = [sections["z"], config.channels, config.states]
    *gate, inputs, raw = step.split(flat, *(size for size in sizes if size))
    inputs = convolution(step, inputs, layer, config)
    if config.rotary:
        x, both = step.split(inputs, sections["x"], sections["B"] + sections["C"])
        both = step.rotate(both, kv + config.heads)
        writes, reads = step.split(both, sections["B"], sections["C"])
    else:
        x, writes, reads = step.split(inputs, *(sections[name] for name in "xBC"))
    x = step.reshape(x, 0, 0, kv, 1, width)
    mixed = scan(step, (x, writes, reads, raw), layer)
    if gate:
        opened = step.reshape(step.silu(gate[0]), 0, 0, kv, group, width)
        mixed = graph.add("Mul", [mixed, opened])
    if config.norm:
        ones = graph.constant(np.ones(width, np.float32))
        mixed = step.normalise(mixed, ones, config.norm_eps)
    return step.product(step.reshape(mixed, -1, config.heads * width), f"{mixer}.out")


def deltanet(step: Pass, vectors: str, layer: int) -> str:
    """A Gated DeltaNet layer in any of its variants."""
    graph, config = step.graph, step.config.deltanet_sizes
    mixer, sections = f"backbone.layers.{layer}.mixer", config.sections
    kv, heads, width = config.kv_heads, config.heads, config.head_dim
    bias = input_bias(step, mixer, sections, ("dt_bias", "beta_bias"))
    flat = graph.add("Reshape", [step.product(vectors, f"{mixer}.in", bias), step.shape])
    sizes = [sections["z"], config.channels, heads, heads]
    *gate, inputs, raw, beta = step.split(flat, *(size for size in sizes if size))
    inputs = convolution(step, inputs, layer, config)
    values, both = step.split(inputs, sections["v"], sections["k"] + sections["q"])
    if config.rotary:
        both = step.rotate(both, kv + heads)
    both = step.reshape(both, 0, 0, kv + heads, config.state_dim)
    both = graph.add("LpNormalization", [both], axis=-1, p=2)
    both = step.reshape(both, 0, 0, (kv + heads) * config.state_dim)
    writes, reads = step.split(both, sections["k"], sections["q"])
    if step.form == "standard":
        writes = repeated(step, writes, kv, heads // kv, config.state_dim)
    values = repeated(step, values, kv, heads // kv, width)
    gates = [
        log_decay(step, mixer, graph.add("Softplus", [raw])),
        graph.add("Sigmoid", [beta]),
    ]
    parts = [reads, writes, values, *gates]
    mixed = attend_linearly(step, parts, layer, (heads, heads), "gated_delta")
    mixed = step.reshape(mixed, 0, 0, heads, width)
    ones = graph.constant(np.ones(width, np.float32))
    mixed = step.normalise(mixed, ones, config.norm_eps)
    if gate:
        opened = step.reshape(step.silu(gate[0]), 0, 0, heads, width)
        mixed = graph.add("Mul", [mixed, opened])
    return step.product(step.reshape(mixed, -1, heads * width), f"{mixer}.out")
