"""The speech language model as one graph for prompts and for single steps.

    ids         (batch, time) int64: special ids, then speech ids, then text ids, in one numbering
    positions   (batch, time) int64: where they stand in their rows
    cosine, sine  (positions, head_dim / 2): rotary tables, as long as needed
    keys.N      (batch, kv_heads, capacity, head_dim): cache of attention layer N
    values.N    the same, or with its last two axes exchanged (``attention.cache_shapes``)
    scan.N, window.N   memory of recurrent layer N (Mamba, Gated DeltaNet)

and, of a model that reads voices,

    voice       (vectors, dim), from ``conditioning.py``; their ids follow the text ids
    places      (batch, time) int64: learned positions: 0 for none, then those of text, then speech

gives ``logits`` (batch, speech ids) after each row's last id, and ``next.`` of each state. Caches
may be given and taken in the same memory; their capacity must hold the new ids. Rows of a batch
bring the same number of ids; several at once on top of what was read need a batch of one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto

from mamtra.backbone.config import KINDS
from mamtra.errors import ModelError
from mamtra.interop.onnx.attention import attention, cache_shapes, prepare_attention
from mamtra.interop.onnx.graph import Graph, StoredTensor
from mamtra.interop.onnx.layers import Form, Pass, gated_mlp, layer_matrices
from mamtra.interop.onnx.modules import looked_up, promises, takes
from mamtra.interop.onnx.products import Matrix
from mamtra.interop.onnx.recurrent import deltanet, mamba
from mamtra.speech_lm import SpeechLMConfig
from mamtra.speech_lm.reading import ReadingConfig
from mamtra.speech_lm.vocabulary import SPECIAL_ROWS

FUSED_OPSET = 21  # the newest that needs no newer runtime, browsers included
STANDARD_OPSET = 27  # LinearAttention, CausalConvWithState
MIXERS = {"A": attention, "M": mamba, "G": deltanet}


def matrices_of(config: SpeechLMConfig) -> dict[str, Matrix]:
    """Every matrix of the model that a product uses, by name."""
    backbone = config.backbone
    found = {"head": Matrix(("head.weight",))}
    for layer in range(backbone.layers):
        found |= layer_matrices(backbone, layer)
    return found


def declare_states(graph: Graph, config: SpeechLMConfig, form: Form) -> None:
    """Add the states of all layers, as inputs and as outputs."""
    backbone = config.backbone
    caches = cache_shapes(backbone, form)
    for layer, kind in enumerate(backbone.layout):
        states: dict[str, tuple[int | str, ...]] = {
            f"keys.{layer}": caches[0],
            f"values.{layer}": caches[1],
        }
        if kind != "A":
            sizes = KINDS[kind].variant(backbone)
            heads = backbone.mamba_sizes.states if kind == "M" else sizes.heads
            states = {f"scan.{layer}": ("batch", heads, sizes.state_dim, sizes.head_dim)}
            if sizes.conv_width > 1:
                states[f"window.{layer}"] = ("batch", sizes.channels, sizes.conv_width - 1)
        for name, shape in states.items():
            takes(graph, name, TensorProto.FLOAT, *shape)
            promises(graph, f"next.{name}", TensorProto.FLOAT, *shape)


def embed(graph: Graph, config: SpeechLMConfig) -> str:
    """Look ids up: special and speech ids in one table, text ids in their own."""
    first_text = graph.constant(SPECIAL_ROWS + config.vocabulary.size, np.int64)
    last_other = graph.constant(SPECIAL_ROWS + config.vocabulary.size - 1, np.int64)
    tables = [graph.weight(f"{name}_embedding.weight") for name in ("special", "speech")]
    table = graph.add("Concat", tables, axis=0)
    other = graph.add("Gather", [table, graph.add("Min", ["ids", last_other])])
    shifted = graph.add("Sub", ["ids", first_text])
    text_ids = graph.add("Max", [shifted, graph.constant(0, np.int64)])
    if config.conditioning is not None:
        last_text = graph.constant(config.text_vocabulary - 1, np.int64)
        text_ids = graph.add("Min", [text_ids, last_text])
    text = looked_up(graph, "text_embedding.weight", text_ids)
    return where_from(graph, first_text, text, other)


def where_from(graph: Graph, first: str, later: str, other: str) -> str:
    """Vectors of one kind for the ids from ``first`` on, of another for those before."""
    is_later = graph.add("GreaterOrEqual", ["ids", first])
    is_later = graph.add("Unsqueeze", [is_later, graph.shape(-1)])
    return graph.add("Where", [is_later, later, other])


def conditioned(graph: Graph, hidden: str, config: SpeechLMConfig) -> str:
    """Embedded ids with the vectors of a voice among them, and with learned positions."""
    dim = config.backbone.dim
    takes(graph, "places", TensorProto.INT64, "batch", "time")
    takes(graph, "voice", TensorProto.FLOAT, "vectors", dim)
    first = SPECIAL_ROWS + config.vocabulary.size + config.text_vocabulary
    first_voice = graph.constant(first, np.int64)
    row = graph.add("Max", [graph.add("Sub", ["ids", first_voice]), graph.constant(0, np.int64)])
    hidden = where_from(graph, first_voice, graph.add("Gather", ["voice", row]), hidden)
    tables = [graph.weight(f"conditioning.{kind}_positions.weight") for kind in ("text", "speech")]
    nowhere = graph.constant(np.zeros((1, dim)), np.float32)
    table = graph.add("Concat", [nowhere, *tables], axis=0)
    return graph.add("Add", [hidden, graph.add("Gather", [table, "places"])])


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechLMExport:
    """How the graph is to be made.

    Attributes:
        form: which operators.
        bits: of the matrices that ``stored`` holds in few bits.
        reading: the head whose queries, before they are rotated, are an output.
    """

    form: Form = "fused"
    bits: int = 32
    reading: ReadingConfig | None = None


def speech_lm_graph(
    config: SpeechLMConfig,
    stored: Mapping[str, StoredTensor],
    export: SpeechLMExport,
    notes: dict[str, str],
) -> onnx.ModelProto:
    """Build the graph; the weights stay where they are.

    Args:
        config: of the model.
        stored: its tensors, and those of matrices in few bits.
        export: how.
        notes: texts that the file carries.
    """
    backbone = config.backbone
    opset = STANDARD_OPSET if export.form == "standard" else FUSED_OPSET
    graph = Graph(dict(stored), opset)
    takes(graph, "ids", TensorProto.INT64, "batch", "time")
    takes(graph, "positions", TensorProto.INT64, "batch", "time")
    step = Pass(
        graph=graph,
        config=backbone,
        form=export.form,
        bits=export.bits,
        shape="",
        matrices=matrices_of(config),
        reading=export.reading,
    )
    promises(graph, "logits", TensorProto.FLOAT, "batch", config.vocabulary.size)
    if turns(config):
        for name in ("cosine", "sine"):
            takes(graph, name, TensorProto.FLOAT, "positions", backbone.head_dim // 2)
    declare_states(graph, config, export.form)
    if export.reading is not None:
        promises(graph, "queries", TensorProto.FLOAT, "batch", "time", backbone.head_dim)
    hidden = embed(graph, config)
    if config.conditioning is not None:
        hidden = conditioned(graph, hidden, config)
    hidden = step.reshape(hidden, -1, backbone.dim)
    step.shape = graph.add("Concat", [graph.add("Shape", ["ids"]), graph.shape(-1)], axis=0)
    if "A" in backbone.layout:
        prepare_attention(step)
    last = run_layers(step, hidden)
    last = graph.add("Reshape", [last, step.shape])
    last = graph.add("Gather", [last, graph.constant(-1, np.int64)], axis=1)
    logits = step.product(last, "head", graph.weight("head.bias"))
    graph.nodes[-1].output[0] = "logits"
    assert logits, "the head is the last node"
    return graph.model(notes)


def turns(config: SpeechLMConfig) -> bool:
    """Whether any layer has rotary positions."""
    backbone = config.backbone
    return any(kind == "A" or KINDS[kind].variant(backbone).rotary for kind in set(backbone.layout))


def run_layers(step: Pass, hidden: str) -> str:
    """All layers and the final norm; vectors in and out.

    Raises:
        ModelError: a mixer has no graph.
    """
    config = step.config
    norms = [
        f"backbone.layers.{layer}.{name}.weight"
        for layer in range(config.layers)
        for name in ("input_layernorm", "post_attention_layernorm")
    ]
    weights = [step.graph.weight(name) for name in [*norms, "backbone.norm.weight"]]
    normal = step.normalise(hidden, weights[0], config.rms_eps)
    for layer, kind in enumerate(config.layout):
        if kind not in MIXERS:
            raise ModelError(
                f"layer {layer} is {kind} ({KINDS[kind].name}), which no graph can express; "
                f"possible are {', '.join(MIXERS)}; PyTorch runs it without graphs"
            )
        mixed = MIXERS[kind](step, normal, layer)
        normal, hidden = step.add_and_normalise(mixed, hidden, weights[2 * layer + 1])
        mixed = gated_mlp(step, normal, f"backbone.layers.{layer}.mlp")
        normal, hidden = step.add_and_normalise(mixed, hidden, weights[2 * layer + 2])
    return normal
