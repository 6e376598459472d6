"""Qwen2's tensor names and ours, as a literal table.

``N`` stands for the number of a layer. Only the backbone is listed: embeddings and heads belong to
the model around it.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from mamtra.backbone import BackboneConfig
from mamtra.errors import ConfigError, listed
from mamtra.interop.names import is_buffer, rename_all

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
)
EPS = "rms_norm_eps"
THETA = 10_000.0  # where a config.json does not say


def is_number(value: Any, kinds: type | tuple[type, ...]) -> bool:
    """Whether a value of JSON is a number above 0 of these kinds; true and false are none."""
    return isinstance(value, kinds) and not isinstance(value, bool) and value > 0


def from_qwen2(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the tensors of a Qwen2 model to those of an all-attention ``Stack``.

    Embedding, text head and rotary tables are left out.

    Raises:
        CheckpointError: a tensor has a name that Qwen2 does not have; all such are listed.
    """
    outside = {*OUTSIDE, *filter(is_buffer, tensors)}
    advice = "give the state dict of a Qwen2 model, its names beginning with 'model.'"
    return rename_all(tensors, FROM_QWEN2, "a Qwen2 backbone", advice, outside)


def config_from_qwen2(config: Mapping[str, Any]) -> BackboneConfig:
    """Read the sizes from a Qwen2 config.json.

    Raises:
        ConfigError: it lacks a size, or one is no number; or it asks for another activation than
            SiLU.
    """
    if missing := [name for name in (*SIZES, EPS) if name not in config]:
        raise ConfigError(f"this config.json of Qwen2 lacks {', '.join(missing)}")
    heads = config["num_attention_heads"]
    theta = config.get("rope_theta") or (config.get("rope_parameters") or {}).get("rope_theta")
    width, theta = config.get("head_dim"), THETA if theta is None else theta
    wrong = [name for name in SIZES if not is_number(config[name], int)]
    wrong += [] if width is None or is_number(width, int) else ["head_dim"]
    wrong += [] if is_number(config[EPS], (int, float)) else [EPS]
    wrong += [] if is_number(theta, (int, float)) else ["rope_theta"]
    if wrong:
        raise ConfigError(f"sizes of this config.json are no numbers above 0: {listed(wrong)}")
    if (act := config.get("hidden_act", "silu")) != "silu":
        raise ConfigError(f"hidden_act={act!r} is not what Qwen2 has; only silu is read")
    return BackboneConfig(
        dim=config["hidden_size"],
        layout="A" * config["num_hidden_layers"],
        query_heads=heads,
        kv_heads=config["num_key_value_heads"],
        head_dim=width or config["hidden_size"] // heads,
        mlp_dim=config["intermediate_size"],
        rope_theta=float(theta),
        rms_eps=float(config[EPS]),
    )
