"""Names and shapes of the 292 entries of Chatterbox's t3_cfg.safetensors, and those of toys."""

from dataclasses import dataclass

from cosyvoice2_shapes import Shapes


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What differs between toy and published size."""

    text: int = 704
    codes: int = 6561
    marks: int = 1633
    dim: int = 1024
    heads: int = 16
    head_dim: int = 64
    mlp: int = 4096
    layers: int = 30
    queries: int = 32


FULL = Sizes()
REFERENCE = Sizes(  # those of the cases in tests/data/chatterbox
    text=300, codes=200, marks=30, dim=64, heads=4, head_dim=16, mlp=128, layers=3, queries=8
)  # fmt: skip


def t3_shapes(size: Sizes) -> Shapes:
    """Entries of the language model."""
    dim, ids = size.dim, size.codes + size.marks
    shapes: Shapes = {
        "tfmr.embed_tokens.weight": (8, dim),
        "tfmr.norm.weight": (dim,),
        "text_emb.weight": (size.text, dim),
        "text_head.weight": (size.text, dim),
        "speech_emb.weight": (ids, dim),
        "speech_head.weight": (ids, dim),
        "text_pos_emb.emb.weight": (2050, dim),
        "speech_pos_emb.emb.weight": (4100, dim),
        "cond_enc.spkr_enc.weight": (dim, 256),
        "cond_enc.spkr_enc.bias": (dim,),
        "cond_enc.emotion_adv_fc.weight": (dim, 1),
        "cond_enc.perceiver.pre_attention_query": (1, size.queries, dim),
    }
    for name in ("norm", "to_q", "to_k", "to_v", "proj_out"):
        whole = f"cond_enc.perceiver.attn.{name}"
        shapes[f"{whole}.weight"] = (dim,) if name == "norm" else (dim, dim)
        shapes[f"{whole}.bias"] = (dim,)
    inside: Shapes = {f"self_attn.{name}_proj.weight": (dim, dim) for name in "qkvo"}
    inside |= {
        "mlp.gate_proj.weight": (size.mlp, dim),
        "mlp.up_proj.weight": (size.mlp, dim),
        "mlp.down_proj.weight": (dim, size.mlp),
        "input_layernorm.weight": (dim,),
        "post_attention_layernorm.weight": (dim,),
    }
    for layer in range(size.layers):
        shapes |= {f"tfmr.layers.{layer}.{name}": shape for name, shape in inside.items()}
    return shapes
