"""Our tensors and sizes under the names of a stock ``GraniteMoeHybridForCausalLM``.

Granite's hybrid is attention and Mamba-2 layers with a dense MLP, so every weight of ours has a
place there; nothing is approximated. What differs is written out:

- its Mamba layers have one B and x per head, so shared rows are repeated (as are the steps of
  decays that a group shares), and a missing convolution becomes one that passes its input on;
- its one vocabulary holds our three tables: speech ids first, then start and task, then text ids;
- its one epsilon serves all norms. Ours inside the Mamba layers is larger than that of the residual
  norms; scaling the residual stream by the root of their ratio (Granite's embedding and residual
  multipliers) makes one epsilon do for both, exactly;
- its head has no bias. Ours goes into ``head_bias.json``, and into the generation config, which
  transformers' ``generate`` obeys; other engines must be told (docs/convert.md).

Axes: k key/value heads, h heads, g heads of a key/value head, w width.
"""

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import torch
from einops import repeat
from jaxtyping import Float
from torch import Tensor

from mamtra.backbone import BackboneConfig, MambaConfig
from mamtra.backbone.config import KINDS
from mamtra.backbone.mixers.variant import OPEN_GATE
from mamtra.speech_lm import SpeechLM, SpeechLMConfig
from mamtra.speech_lm.vocabulary import SPECIAL_ROWS, START, TASK, SpeechVocabulary

CONV_WIDTH = 4  # of the convolution that is written; CUDA kernels for it take 2 to 4 taps
POSITIONS = 32_768  # length that the config promises; Qwen2.5's
LAYER_TYPES = {"A": "attention", "M": "mamba"}  # Granite's names of the layers
# values of the Mamba layers that the functions below know; one that they do not must be refused
KNOWN = {
    "heads", "kv_heads", "head_dim", "state_dim", "conv_width", "conv_start", "activation",
    "input_bias", "rotary", "gate", "norm", "norm_eps", "decay", "decay_start", "scan",
}  # fmt: skip


def obstacles(backbone: BackboneConfig) -> list[str]:
    """Why a backbone cannot be written as Granite; empty if it can."""
    mamba, found = backbone.mamba_sizes, []
    if backbone.rope_scaling is not None:
        found.append("rope_scaling (Granite's rotary positions are not stretched)")
    if backbone.query_heads * backbone.head_dim != backbone.dim:
        found.append(
            f"{backbone.query_heads} attention heads of {backbone.head_dim} do not make up "
            f"dim={backbone.dim}"
        )
    found += [
        f"{letter} ({KINDS[letter].name}) layers (Granite has attention and Mamba)"
        for letter in sorted(set(backbone.layout) - set(LAYER_TYPES))
    ]
    if "M" not in backbone.layout:
        return found
    if mamba.heads * mamba.head_dim % backbone.dim:
        found.append(
            f"{mamba.heads} Mamba heads of {mamba.head_dim} are no multiple of dim={backbone.dim}"
        )
    if mamba.activation != "silu":
        found.append(f"activation={mamba.activation!r} (Granite has SiLU after the convolution)")
    if not mamba.norm:
        found.append("norm=False (Granite normalises the gated output)")
    if mamba.rotary:
        found.append("rotary=True (Granite's Mamba layers have no positions)")
    if mamba.conv_width > CONV_WIDTH:
        found.append(f"conv_width={mamba.conv_width} (at most {CONV_WIDTH})")
    default = MambaConfig()
    found += [
        f"{field.name}={getattr(mamba, field.name)!r} (not known to this export)"
        for field in fields(MambaConfig)
        if field.name not in KNOWN and getattr(mamba, field.name) != getattr(default, field.name)
    ]
    return found


def per_head(
    rows: Float[Tensor, "shared *any"], shared: int, heads: int
) -> Float[Tensor, "spread *any"]:
    """Repeat rows of shared heads for each of the heads that share them."""
    return repeat(rows, "(k w) ... -> (k g w) ...", k=shared, g=heads // shared)


def projected(rows: Float[Tensor, "rows *dim"], sizes: MambaConfig) -> Float[Tensor, "wide *dim"]:
    """Rows of ``in_proj``, weight or bias, in Granite's number of heads."""
    z, x, B, C, dt = rows.split([*sizes.sections.values()])
    if sizes.gate == "none":
        # a gate that is always open: no weight, and a bias whose SiLU is 1
        width = sizes.heads * sizes.head_dim
        z = rows.new_full((width, *rows.shape[1:]), 0.0 if rows.dim() > 1 else OPEN_GATE)
    shared, heads = sizes.kv_heads, sizes.heads
    spread = [per_head(part, shared, heads) for part in (x, B)]
    return torch.cat([z, *spread, C, per_head(dt, sizes.states, heads)])


def convolved(tensors: Mapping[str, Tensor], sizes: MambaConfig) -> tuple[Tensor, Tensor]:
    """Weight and bias of the convolution, for all heads and with all taps."""
    example = tensors["out_proj.weight"]
    if sizes.conv_width:
        weight, bias = tensors["conv1d.weight"], tensors["conv1d.bias"]
        weight = torch.nn.functional.pad(weight, (CONV_WIDTH - sizes.conv_width, 0))
    else:
        weight = example.new_zeros(sizes.channels, 1, CONV_WIDTH)
        weight[..., -1] = 1.0
        bias = example.new_zeros(sizes.channels)
    lengths = [sizes.sections[name] for name in ("x", "B", "C")]
    wide = []
    for tensor in (weight, bias):
        x, B, C = tensor.split(lengths)
        x, B = (per_head(part, sizes.kv_heads, sizes.heads) for part in (x, B))
        wide.append(torch.cat([x, B, C]))
    return wide[0], wide[1]


def has_mamba_bias(sizes: MambaConfig) -> bool:
    """Whether Granite's Mamba projections need biases."""
    return sizes.input_bias or sizes.gate in ("open", "none")


def granite_mamba(tensors: Mapping[str, Tensor], sizes: MambaConfig) -> dict[str, Tensor]:
    """The tensors of a Mamba mixer under Granite's names."""
    weight, bias = convolved(tensors, sizes)
    found = {
        "in_proj.weight": projected(tensors["in_proj.weight"], sizes),
        "conv1d.weight": weight,
        "conv1d.bias": bias,
        "dt_bias": per_head(tensors["dt_bias"], sizes.states, sizes.heads),
        "A_log": per_head(tensors["A_log"], sizes.states, sizes.heads),
        "D": tensors["D"],
        "norm.weight": tensors["norm.weight"],
        "out_proj.weight": tensors["out_proj.weight"],
    }
    if has_mamba_bias(sizes):
        given = tensors.get("in_proj.bias")
        rows = tensors["in_proj.weight"].shape[0]
        given = found["D"].new_zeros(rows) if given is None else given
        found["in_proj.bias"] = projected(given, sizes)
        found["out_proj.bias"] = found["D"].new_zeros(found["out_proj.weight"].shape[0])
    return {f"mamba.{name}": tensor for name, tensor in found.items()}


def granite_layer(
    tensors: Mapping[str, Tensor], kind: str, backbone: BackboneConfig
) -> dict[str, Tensor]:
    """The tensors of a layer, by their names inside it, under Granite's names."""
    mixer = {
        name.removeprefix("mixer."): tensor
        for name, tensor in tensors.items()
        if name.startswith("mixer.")
    }
    if kind == "M":
        found = granite_mamba(mixer, backbone.mamba_sizes)
    else:
        found = {f"self_attn.{name}": tensor for name, tensor in mixer.items()}
        if backbone.attention_bias:
            found["self_attn.o_proj.bias"] = mixer["o_proj.weight"].new_zeros(backbone.dim)
    gate, up = tensors["mlp.gate_proj.weight"], tensors["mlp.up_proj.weight"]
    found["shared_mlp.input_linear.weight"] = torch.cat([gate, up])
    found["shared_mlp.output_linear.weight"] = tensors["mlp.down_proj.weight"]
    for name in ("input_layernorm.weight", "post_attention_layernorm.weight"):
        found[name] = tensors[name]
    return found


def granite_tensors(model: SpeechLM) -> dict[str, Tensor]:
    """All weights under Granite's names; the head's bias has no place among them."""
    backbone, given = model.config.backbone, model.state_dict()
    tables = [given[f"{name}_embedding.weight"] for name in ("speech", "special", "text")]
    head = given["head.weight"]
    silent = head.new_zeros(sum(len(table) for table in tables[1:]), backbone.dim)
    found = {
        "model.embed_tokens.weight": torch.cat(tables),
        "lm_head.weight": torch.cat([head, silent]),
        "model.norm.weight": given["backbone.norm.weight"],
    }
    for layer, kind in enumerate(backbone.layout):
        prefix = f"backbone.layers.{layer}."
        inside = {
            name.removeprefix(prefix): tensor
            for name, tensor in given.items()
            if name.startswith(prefix)
        }
        for name, tensor in granite_layer(inside, kind, backbone).items():
            found[f"model.layers.{layer}.{name}"] = tensor
    return found


def granite_config(config: SpeechLMConfig, dtype: torch.dtype) -> dict[str, Any]:
    """Granite's ``config.json``."""
    backbone, ids = config.backbone, config.vocabulary
    mamba, scale, eps = backbone.mamba_sizes, 1.0, backbone.rms_eps
    if "M" in backbone.layout:
        scale, eps = math.sqrt(mamba.norm_eps / backbone.rms_eps), mamba.norm_eps
    return {
        "architectures": ["GraniteMoeHybridForCausalLM"],
        "model_type": "granitemoehybrid",
        "torch_dtype": str(dtype).removeprefix("torch."),
        "vocab_size": ids.size + SPECIAL_ROWS + config.text_vocabulary,
        "hidden_size": backbone.dim,
        "intermediate_size": backbone.mlp_dim,
        "shared_intermediate_size": backbone.mlp_dim,
        "num_hidden_layers": backbone.layers,
        "layer_types": [LAYER_TYPES[kind] for kind in backbone.layout],
        "num_attention_heads": backbone.query_heads,
        "num_key_value_heads": backbone.kv_heads,
        "attention_bias": backbone.attention_bias,
        "attention_multiplier": backbone.head_dim**-0.5,
        "embedding_multiplier": scale,
        "residual_multiplier": scale,
        "logits_scaling": 1.0,
        "rms_norm_eps": eps,
        "hidden_act": "silu",
        "max_position_embeddings": POSITIONS,
        "position_embedding_type": "rope",
        "rope_theta": backbone.rope_theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": backbone.rope_theta},
        "num_local_experts": 0,
        "num_experts_per_tok": 0,
        "mamba_n_heads": mamba.heads,
        "mamba_n_groups": mamba.heads,
        "mamba_d_head": mamba.head_dim,
        "mamba_d_state": mamba.state_dim,
        "mamba_d_conv": CONV_WIDTH,
        "mamba_expand": mamba.heads * mamba.head_dim // backbone.dim,
        "mamba_conv_bias": True,
        "mamba_proj_bias": has_mamba_bias(mamba),
        "tie_word_embeddings": False,
        "bos_token_id": ids.size + START,
        "eos_token_id": ends_of(ids),
        "pad_token_id": ids.unused[0],
    }


def ends_of(ids: SpeechVocabulary) -> int | list[int]:
    """The id that ends speech, or all of them where every mark does."""
    return list(ids.stops) if len(ids.stops) > 1 else ids.end


def id_table(config: SpeechLMConfig) -> dict[str, Any]:
    """Which ids mean what, and how a prompt is laid out."""
    ids, first = config.vocabulary, config.vocabulary.size + SPECIAL_ROWS
    end = first + config.text_vocabulary - 1
    return {
        "speech": {"first": 0, "codes": ids.codes},
        "end": ids.end,
        "ends": [ids.stops.start, ids.stops.stop - 1],
        "unused": list(ids.unused),
        "fill": ids.fill,
        "start": ids.size + START,
        "task": ids.size + TASK,
        "text": {"first": first, "ids": config.text_vocabulary},
        "prompt": ["start", "text ids + text.first", "task", "speech ids of a prompt, if any"],
        "never_generated": [
            [start, last]
            for start, last in ((ids.codes, ids.stops.start - 1), (ids.stops.stop, end))
            if start <= last
        ],
    }
