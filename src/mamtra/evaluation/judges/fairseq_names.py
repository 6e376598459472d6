"""Names of wav2vec 2.0's and WavLM's weights: fairseq's, and transformers' for the same.

The rules are those that transformers' own conversion scripts tell (wav2vec2, wavlm).
"""

import re
from collections.abc import Mapping

from torch import Tensor

CONV = r"feature_extractor.conv_layers.\1."
WEIGHT = "encoder.pos_conv_embed.conv.parametrizations.weight."
# first match wins; a rule is a regular expression and what takes its place
RULES = (
    (r"^mask_emb$", "masked_spec_embed"),
    (r"^post_extract_proj\.", "feature_projection.projection."),
    (r"^layer_norm\.", "feature_projection.layer_norm."),
    (r"^encoder\.pos_conv\.0\.weight_g$", f"{WEIGHT}original0"),
    (r"^encoder\.pos_conv\.0\.weight_v$", f"{WEIGHT}original1"),
    (r"^encoder\.pos_conv\.0\.", "encoder.pos_conv_embed.conv."),
    (r"^feature_extractor\.conv_layers\.(\d+)\.0\.", f"{CONV}conv."),
    (r"^feature_extractor\.conv_layers\.(\d+)\.2\.1\.", f"{CONV}layer_norm."),
    (r"^feature_extractor\.conv_layers\.(\d+)\.2\.", f"{CONV}layer_norm."),
    (r"\.self_attn\.grep_linear\.", ".attention.gru_rel_pos_linear."),
    (r"\.self_attn\.grep_a$", ".attention.gru_rel_pos_const"),
    (r"\.self_attn\.relative_attention_bias\.", ".attention.rel_attn_embed."),
    (r"\.self_attn\.", ".attention."),
    (r"\.self_attn_layer_norm\.", ".layer_norm."),
    (r"\.fc1\.", ".feed_forward.intermediate_dense."),
    (r"\.fc2\.", ".feed_forward.output_dense."),
)


def transformers_name(name: str) -> str:
    """One name."""
    for pattern, place in RULES:
        found, count = re.subn(pattern, place, name)
        if count:
            return found
    return name


def transformers_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """All tensors by transformers' names."""
    return {transformers_name(name): value for name, value in tensors.items()}
