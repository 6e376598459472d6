"""Layers of the stack as nodes of a graph: norms, gated MLP, attention.

Between layers, vectors lie flat (batch * time, dim); a mixer turns them to (batch, time, ...) where
its operators need that. Two forms with the same inputs, outputs and states:

    fused      com.microsoft's operators: fewest nodes, onnxruntime only (its browser build too)
    standard   opset 27 of ONNX alone, for any runtime
"""

from dataclasses import dataclass, field
from typing import Literal

from mamtra.backbone import BackboneConfig
from mamtra.interop.onnx.graph import MICROSOFT, Graph
from mamtra.interop.onnx.products import Matrix, joined, multiply
from mamtra.speech_lm.reading import ReadingConfig

Form = Literal["fused", "standard"]
ROTARY_WIDTH = 16  # GroupQueryAttention rotates heads whose width is a multiple of this
ATTENTION_WIDTH = 8  # and takes heads of multiples of this


@dataclass(slots=True, kw_only=True)
class Pass:
    """What every layer of a graph shares.

    Attributes:
        bits: of the matrices.
        shape: (batch, time, -1), for a Reshape.
        positions: (batch, time) of the ids.
        cosine, sine: rotary tables (positions, head_dim / 2).
        last: position of each row's last id, int32, and ``total``: the largest of them plus one.
        reading: the head whose queries are an output.
        starts, visible: for attention by standard operators: position of each row's first id, and
            (batch, 1, time, capacity) of what each id may see.
    """

    graph: Graph
    config: BackboneConfig
    form: Form
    bits: int
    shape: str
    positions: str = "positions"
    cosine: str = "cosine"
    sine: str = "sine"
    last: str = ""
    total: str = ""
    starts: str = ""
    visible: str = ""
    matrices: dict[str, Matrix] = field(default_factory=dict)
    reading: ReadingConfig | None = None

    @property
    def plain_attention(self) -> bool:
        """Whether attention is made of standard operators."""
        return self.form == "standard" or self.config.head_dim % ATTENTION_WIDTH != 0

    def product(self, vectors: str, name: str, bias: str | None = None) -> str:
        """Multiply by a matrix of the model."""
        return multiply(self.graph, vectors, name, self.matrices[name], self.bits, bias)

    def silu(self, vectors: str) -> str:
        """``x * sigmoid(x)``."""
        if self.form == "standard":
            return self.graph.add("Mul", [vectors, self.graph.add("Sigmoid", [vectors])])
        return self.graph.add("QuickGelu", [vectors], domain=MICROSOFT, alpha=1.0)

    def normalise(self, vectors: str, weight: str, eps: float) -> str:
        """Unit root mean square over the last axis, then the weight."""
        kind = "RMSNormalization" if self.form == "standard" else "SimplifiedLayerNormalization"
        return self.graph.add(kind, [vectors, weight], axis=-1, epsilon=eps)

    def add_and_normalise(self, vectors: str, skip: str, weight: str) -> tuple[str, str]:
        """The sum of two vectors, normalised and as it is."""
        eps = self.config.rms_eps
        if self.form == "standard":
            total = self.graph.add("Add", [vectors, skip])
            return self.normalise(total, weight, eps), total
        found = self.graph.add(
            "SkipSimplifiedLayerNormalization",
            [vectors, skip, weight],
            4,
            domain=MICROSOFT,
            epsilon=eps,
        )
        node = self.graph.nodes[-1]
        node.output[1] = node.output[2] = ""
        return found[0], found[3]

    def rotate(self, heads: str, count: int) -> str:
        """Apply rotary positions to (batch, time, count * width) heads."""
        inputs, domain = [heads, self.positions, self.cosine, self.sine], MICROSOFT
        if self.form == "standard":
            inputs, domain = [heads, self.cosine, self.sine, self.positions], ""
        return self.graph.add("RotaryEmbedding", inputs, domain=domain, num_heads=count)

    def split(self, vectors: str, *sizes: int) -> list[str]:
        """Cut the last axis."""
        return self.graph.add("Split", [vectors, self.graph.shape(*sizes)], len(sizes), axis=-1)

    def reshape(self, vectors: str, *sizes: int) -> str:
        """Give other sizes; 0 keeps one."""
        return self.graph.add("Reshape", [vectors, self.graph.shape(*sizes)])


def layer_matrices(config: BackboneConfig, layer: int) -> dict[str, Matrix]:
    """The matrices of a layer by name."""
    place = f"backbone.layers.{layer}"
    mixer, mlp = f"{place}.mixer", f"{place}.mlp"
    found = {
        f"{mlp}.gate_up": Matrix((f"{mlp}.gate_proj.weight", f"{mlp}.up_proj.weight")),
        f"{mlp}.down": Matrix((f"{mlp}.down_proj.weight",)),
    }
    if config.layout[layer] == "A":
        rows = tuple(f"{mixer}.{part}_proj.weight" for part in "qkv")
        return found | {
            f"{mixer}.qkv": Matrix(rows),
            f"{mixer}.out": Matrix((f"{mixer}.o_proj.weight",)),
        }
    # the norm's weight goes into the matrix behind it
    has_norm = config.layout[layer] != "M" or config.mamba_sizes.norm
    norm = f"{mixer}.norm.weight" if has_norm else None
    return found | {
        f"{mixer}.in": Matrix((f"{mixer}.in_proj.weight",)),
        f"{mixer}.out": Matrix((f"{mixer}.out_proj.weight",), norm),
    }


def gated_mlp(step: Pass, vectors: str, name: str) -> str:
    """``down(silu(gate(x)) * up(x))``."""
    width = step.config.mlp_dim
    gate, up = step.split(step.product(vectors, f"{name}.gate_up"), width, width)
    inner = step.graph.add("Mul", [step.silu(gate), up])
    return step.product(inner, f"{name}.down")


def plain_attention(step: Pass, parts: tuple[str, str, str], names: tuple[str, str]) -> str:
    """Attention by standard operators: scatter into the caches, look at what is visible."""
    graph, config = step.graph, step.config
    queries, keys, values = parts
    caches = []
    for name, part in zip(names, (keys, values), strict=True):
        heads = step.reshape(part, 0, 0, config.kv_heads, config.head_dim)
        heads = graph.add("Transpose", [heads], perm=[0, 2, 1, 3])
        graph.add_to([f"next.{name}"], "TensorScatter", [name, heads, step.starts], axis=2)
        caches.append(f"next.{name}")
    queries = step.reshape(queries, 0, 0, config.query_heads, config.head_dim)
    queries = graph.add("Transpose", [queries], perm=[0, 2, 1, 3])
    mixed = graph.add("Attention", [queries, *caches, step.visible])
    return graph.add("Transpose", [mixed], perm=[0, 2, 1, 3])


def attention(step: Pass, vectors: str, layer: int) -> str:
    """Grouped-query attention with rotary positions and caches."""
    graph, config = step.graph, step.config
    mixer, width = f"backbone.layers.{layer}.mixer", config.head_dim
    queries, kv = config.query_heads, config.kv_heads
    names = f"keys.{layer}", f"values.{layer}"
    bias = None
    if config.attention_bias:
        bias = joined(graph, tuple(f"{mixer}.{part}_proj.bias" for part in "qkv"))
    flat = graph.add("Reshape", [step.product(vectors, f"{mixer}.qkv", bias), step.shape])
    if step.reading is not None and step.reading.layer == layer:
        first = step.reading.head * width
        ends_of_slice = [graph.shape(first), graph.shape(first + width), graph.shape(-1)]
        graph.add_to(["queries"], "Slice", [flat, *ends_of_slice])
    ends = [*names, step.last, step.total]
    turns = not step.plain_attention and width % ROTARY_WIDTH == 0
    if turns:
        inputs = [flat, "", "", *ends, step.cosine, step.sine]
    else:
        turned, value = step.split(flat, (queries + kv) * width, kv * width)
        turned = step.rotate(turned, queries + kv)
        query, key = step.split(turned, queries * width, kv * width)
        inputs = [query, key, value, *ends]
    if step.plain_attention:
        mixed = plain_attention(step, (inputs[0], inputs[1], inputs[2]), names)
    else:
        mixed = f"attention.{layer}"
        graph.add_to(
            [mixed, *(f"next.{name}" for name in names)],
            "GroupQueryAttention",
            inputs,
            domain=MICROSOFT,
            num_heads=queries,
            kv_num_heads=kv,
            do_rotary=int(turns),
        )
    return step.product(step.reshape(mixed, -1, queries * width), f"{mixer}.out")
