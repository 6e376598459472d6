"""Layers of the stack as nodes of a graph: norms, gated MLP, and what mixers share.

Between layers, vectors lie flat (batch * time, dim); a mixer turns them to (batch, time, ...) where
its operators need that. Three forms with the same inputs and outputs:

    fused      com.microsoft's operators, onnxruntime only (its browser build too)
    short      the same with the fewest nodes: the fastest for one stream that holds few ids
    standard   opset 27 of ONNX alone, for any runtime

``short`` may keep the values of attention layers in another order (``attention.cache_shapes``).
"""

from dataclasses import dataclass, field
from typing import Literal

from mamtra.backbone import BackboneConfig
from mamtra.interop.onnx.graph import MICROSOFT, Graph
from mamtra.interop.onnx.products import Matrix, multiply
from mamtra.speech_lm.reading import ReadingConfig

Form = Literal["fused", "short", "standard"]


@dataclass(slots=True, kw_only=True)
class Pass:
    """What every layer of a graph shares.

    Attributes:
        bits: of the matrices.
        shape: (batch, time, -1), for a Reshape.
        positions: (batch, time) of the ids.
        cosine, sine: rotary tables (positions, head_dim / 2).
        last, total: for GroupQueryAttention: position of each row's last id, int32, and the largest
            of them plus one.
        heads: (batch, time, heads of queries, keys and values, width), for a Reshape.
        places: where new keys and values are stored, as indices into their caches.
        hidden: (batch, 1, group * time, capacity), minus infinity where an id may not look.
        reading: the head whose queries are an output.
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
    heads: str = ""
    places: list[str] = field(default_factory=list)
    hidden: str = ""
    matrices: dict[str, Matrix] = field(default_factory=dict)
    reading: ReadingConfig | None = None

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
        """Rotate (batch, time, count * width) or (batch, count, time, width) heads."""
        inputs, domain = [heads, self.positions, self.cosine, self.sine], MICROSOFT
        if self.form == "standard":
            inputs, domain = [heads, self.cosine, self.sine, self.positions], ""
        return self.graph.add("RotaryEmbedding", inputs, domain=domain, num_heads=count)

    def split(self, vectors: str, *sizes: int, axis: int = -1) -> list[str]:
        """Cut an axis."""
        return self.graph.add("Split", [vectors, self.graph.shape(*sizes)], len(sizes), axis=axis)

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
