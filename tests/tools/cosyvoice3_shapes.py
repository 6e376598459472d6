"""Names and shapes of the entries of CosyVoice 3's checkpoints, at the published size and toys'.

At full size they are those of the 293, 330 and 328 published entries.
"""

from dataclasses import dataclass

from cosyvoice2_shapes import BINS, SPEAKER, Shapes, biased, normed
from cosyvoice2_shapes import Sizes as Sizes2
from cosyvoice2_shapes import hift_shapes as hift_shapes2

MARKS, TIME_SINES, TAPS, GROUPS = 200, 256, 31, 16
ESTIMATOR = "decoder.estimator."


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What differs between toy and published size."""

    text: int = 151_936
    codes: int = 6561
    dim: int = 896
    heads: int = 14
    kv_heads: int = 2
    head_dim: int = 64
    mlp: int = 4864
    layers: int = 24
    lookahead: int = 1024
    inner: int = 1024
    inner_heads: int = 16
    inner_head_dim: int = 64
    inner_layers: int = 22
    vocoder: int = 512


FULL = Sizes()
TOY = Sizes(
    text=600, codes=27, dim=128, heads=2, kv_heads=1, mlp=96, layers=4, lookahead=24, inner=32,
    inner_heads=2, inner_head_dim=8, inner_layers=2, vocoder=16,
)  # fmt: skip
REFERENCE = Sizes(  # those of the cases in tests/data/cosyvoice3
    codes=200, dim=64, heads=4, kv_heads=2, head_dim=16, mlp=128, layers=3, lookahead=64, inner=96,
    inner_heads=2, inner_head_dim=32, inner_layers=3, vocoder=32,
)  # fmt: skip


def llm_shapes(size: Sizes) -> Shapes:
    """Entries of llm.pt."""
    query, key, ids = size.head_dim * size.heads, size.head_dim * size.kv_heads, size.codes + MARKS
    shapes: Shapes = {
        "llm.model.model.embed_tokens.weight": (size.text, size.dim),
        "llm.model.lm_head.weight": (size.text, size.dim),
        "llm.model.model.norm.weight": (size.dim,),
        "llm_decoder.weight": (ids, size.dim),
        "speech_embedding.weight": (ids, size.dim),
    }
    inside = biased({"q_proj": (query, size.dim), "k_proj": (key, size.dim)})
    inside |= biased({"v_proj": (key, size.dim)}) | {"o_proj.weight": (size.dim, query)}
    inside = {f"self_attn.{name}": shape for name, shape in inside.items()} | {
        "mlp.gate_proj.weight": (size.mlp, size.dim),
        "mlp.up_proj.weight": (size.mlp, size.dim),
        "mlp.down_proj.weight": (size.dim, size.mlp),
        "input_layernorm.weight": (size.dim,),
        "post_attention_layernorm.weight": (size.dim,),
    }
    for layer in range(size.layers):
        place = f"llm.model.model.layers.{layer}"
        shapes |= {f"{place}.{name}": shape for name, shape in inside.items()}
    return shapes


def flow_shapes(size: Sizes) -> Shapes:
    """Entries of flow.pt."""
    inner, wide = size.inner, size.inner_heads * size.inner_head_dim
    stems: Shapes = {
        "spk_embed_affine_layer": (BINS, SPEAKER),
        "pre_lookahead_layer.conv1": (size.lookahead, BINS, 4),
        "pre_lookahead_layer.conv2": (BINS, size.lookahead, 3),
        f"{ESTIMATOR}time_embed.time_mlp.0": (inner, TIME_SINES),
        f"{ESTIMATOR}time_embed.time_mlp.2": (inner, inner),
        f"{ESTIMATOR}input_embed.proj": (inner, 4 * BINS),
        f"{ESTIMATOR}input_embed.conv_pos_embed.conv1.0": (inner, inner // GROUPS, TAPS),
        f"{ESTIMATOR}input_embed.conv_pos_embed.conv2.0": (inner, inner // GROUPS, TAPS),
        f"{ESTIMATOR}norm_out.linear": (2 * inner, inner),
        f"{ESTIMATOR}proj_out": (BINS, inner),
    }
    for layer in range(size.inner_layers):
        place = f"{ESTIMATOR}transformer_blocks.{layer}"
        stems[f"{place}.attn_norm.linear"] = (6 * inner, inner)
        stems |= {f"{place}.attn.to_{part}": (wide, inner) for part in "qkv"}
        stems[f"{place}.attn.to_out.0"] = (inner, wide)
        stems[f"{place}.ff.ff.0.0"] = (2 * inner, inner)
        stems[f"{place}.ff.ff.2"] = (inner, 2 * inner)
    return biased(stems) | {
        "input_embedding.weight": (size.codes, BINS),
        f"{ESTIMATOR}rotary_embed.inv_freq": (size.inner_head_dim // 2,),
    }


def hift_shapes(size: Sizes) -> Shapes:
    """Entries of hift.pt: the names of version 2."""
    shapes = hift_shapes2(Sizes2(vocoder=size.vocoder))
    stems: Shapes = {
        "conv_pre": (size.vocoder, BINS, 5),
        "f0_predictor.condnet.0": (size.vocoder, BINS, 4),
    }
    for stage, kernel in enumerate((16, 11, 7)):
        width = size.vocoder // 2**stage
        stems[f"ups.{stage}"] = (width // 2, width, kernel)
    return shapes | normed(stems)
