"""Qwen2's tensor names and ours, as a literal table.

``N`` stands for the number of a layer. Only the backbone is listed: embeddings and heads belong to
the model around it.
"""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from mamtra.backbone import BackboneConfig
from mamtra.errors import CheckpointError, ConfigError, listed

FROM_QWEN2 = {
    "model.layers.N.input_layernorm.weight": "layers.N.input_layernorm.weight",
    "model.layers.N.self_attn.q_proj.weight": "layers.N.mixer.q_proj.weight",
    "model.layers.N.self_attn.q_proj.bias": "layers.N.mixer.q_proj.bias",
    "model.layers.N.self_attn.k_proj.weight": "layers.N.mixer.k_proj.weight",
    "model.layers.N.self_attn.k_proj.bias": "layers.N.mixer.k_proj.bias",
    "model.layers.N.self_attn.v_proj.weight": "layers.N.mixer.v_proj.weight",
    "model.layers.N.self_attn.v_proj.bias": "layers.N.mixer.v_proj.bias",
    "model.layers.N.self_attn.o_proj.weight": "layers.N.mixer.o_proj.weight",
    "model.layers.N.post_attention_layernorm.weight": "layers.N.post_attention_layernorm.weight",
    "model.layers.N.mlp.gate_proj.weight": "layers.N.mlp.gate_proj.weight",
    "model.layers.N.mlp.up_proj.weight": "layers.N.mlp.up_proj.weight",
    "model.layers.N.mlp.down_proj.weight": "layers.N.mlp.down_proj.weight",
    "model.norm.weight": "norm.weight",
}
OUTSIDE = ("model.embed_tokens.weight", "lm_head.weight")  # not part of the backbone

SIZES = (  # keys that a config.json must hold
    "hidden_size",
    "intermediate_size",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
    "rms_norm_eps",
)
BUFFER = "rotary_emb.inv_freq"  # older transformers saved this table, which follows from the sizes
LAYER = re.compile(r"\blayers\.(\d+)\.")


def is_buffer(name: str) -> bool:
    """Whether an entry is a table that follows from the sizes, and is not read."""
    return name.endswith(BUFFER)


def renamed(name: str, table: Mapping[str, str]) -> str | None:
    """Look a tensor's name up in a table whose layer number is written ``N``; None if absent."""
    number = LAYER.search(name)
    found = table.get(LAYER.sub("layers.N.", name))
    if found is None or number is None:
        return found
    return found.replace("layers.N.", f"layers.{number.group(1)}.")


def from_qwen2(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the tensors of a Qwen2 model to those of an all-attention ``Stack``.

    Embedding, text head and rotary tables are left out.

    Raises:
        CheckpointError: a tensor has a name that Qwen2 does not have; all such are listed.
    """
    found = {
        name: renamed(name, FROM_QWEN2)
        for name in tensors
        if name not in OUTSIDE and not is_buffer(name)
    }
    if unknown := sorted(name for name, ours in found.items() if ours is None):
        raise CheckpointError(
            f"{len(unknown)} tensors are not part of a Qwen2 backbone: {listed(unknown)}; "
            f"give the state dict of a Qwen2 model, its names beginning with 'model.'"
        )
    return {ours: tensors[name] for name, ours in found.items() if ours is not None}


def config_from_qwen2(config: Mapping[str, Any]) -> BackboneConfig:
    """Read the sizes from a Qwen2 config.json.

    Raises:
        ConfigError: it lacks a size, or asks for another activation than SiLU.
    """
    if missing := [name for name in SIZES if name not in config]:
        raise ConfigError(f"this config.json of Qwen2 lacks {', '.join(missing)}")
    wrong = [name for name in SIZES if not isinstance(config[name], int | float)]
    if wrong := wrong or [name for name in SIZES if config[name] <= 0]:
        raise ConfigError(f"sizes of this config.json are no numbers above 0: {listed(wrong)}")
    if (act := config.get("hidden_act", "silu")) != "silu":
        raise ConfigError(f"hidden_act={act!r} is not what Qwen2 has; only silu is read")
    heads = config["num_attention_heads"]
    theta = config.get("rope_theta") or (config.get("rope_parameters") or {}).get("rope_theta")
    return BackboneConfig(
        dim=config["hidden_size"],
        layout="A" * config["num_hidden_layers"],
        query_heads=heads,
        kv_heads=config["num_key_value_heads"],
        head_dim=config.get("head_dim") or config["hidden_size"] // heads,
        mlp_dim=config["intermediate_size"],
        rope_theta=theta or 10_000.0,
        rms_eps=config["rms_norm_eps"],
    )
