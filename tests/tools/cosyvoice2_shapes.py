"""Names and shapes of the entries of CosyVoice 2's checkpoints, at the published size and a toy's.

At full size they are those of the 295, 1,121 and 328 published entries.
"""

from dataclasses import dataclass

Shapes = dict[str, tuple[int, ...]]
BINS, SPEAKER = 80, 192


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What differs between toy and published size; heads are 64 wide in both."""

    text: int = 151_936
    codes: int = 6561
    dim: int = 896
    heads: int = 14
    kv_heads: int = 2
    mlp: int = 4864
    layers: int = 24
    flow_dim: int = 512
    flow_mlp: int = 2048
    flow_layers: int = 6
    inner: int = 256
    inner_heads: int = 8
    blocks: int = 4
    middle: int = 12
    vocoder: int = 512


FULL = Sizes()
TOY = Sizes(
    text=300, codes=27, dim=128, heads=2, kv_heads=1, mlp=96, layers=4, flow_dim=32, flow_mlp=48,
    flow_layers=1, inner=16, inner_heads=1, blocks=1, middle=2, vocoder=16,
)  # fmt: skip


def llm_shapes(size: Sizes) -> Shapes:
    """Entries of llm.pt."""
    query, key, ids = 64 * size.heads, 64 * size.kv_heads, size.codes + 3
    shapes: Shapes = {
        "llm_embedding.weight": (2, size.dim),
        "llm.model.model.embed_tokens.weight": (size.text, size.dim),
        "llm.model.lm_head.weight": (size.text, size.dim),
        "llm.model.model.norm.weight": (size.dim,),
        "llm_decoder.weight": (ids, size.dim),
        "llm_decoder.bias": (ids,),
        "speech_embedding.weight": (ids, size.dim),
    }
    inside = {
        "self_attn.q_proj.weight": (query, size.dim),
        "self_attn.q_proj.bias": (query,),
        "self_attn.k_proj.weight": (key, size.dim),
        "self_attn.k_proj.bias": (key,),
        "self_attn.v_proj.weight": (key, size.dim),
        "self_attn.v_proj.bias": (key,),
        "self_attn.o_proj.weight": (size.dim, query),
        "mlp.gate_proj.weight": (size.mlp, size.dim),
        "mlp.up_proj.weight": (size.mlp, size.dim),
        "mlp.down_proj.weight": (size.dim, size.mlp),
        "input_layernorm.weight": (size.dim,),
        "post_attention_layernorm.weight": (size.dim,),
    }
    for layer in range(size.layers):
        shapes |= {
            f"llm.model.model.layers.{layer}.{name}": shape for name, shape in inside.items()
        }
    return shapes


def biased(stems: Shapes) -> Shapes:
    """A weight and a bias for each stem."""
    weights = {f"{stem}.weight": shape for stem, shape in stems.items()}
    return weights | {f"{stem}.bias": shape[:1] for stem, shape in stems.items()}


def conformer_shapes(size: Sizes) -> Shapes:
    """One layer of flow.pt's encoder."""
    dim, attention = size.flow_dim, "self_attn."
    stems: Shapes = {f"{attention}linear_{part}": (dim, dim) for part in ("q", "k", "v", "out")}
    stems |= {"feed_forward.w_1": (size.flow_mlp, dim), "feed_forward.w_2": (dim, size.flow_mlp)}
    return biased(stems | {"norm_ff": (dim,), "norm_mha": (dim,)}) | {
        f"{attention}linear_pos.weight": (dim, dim),
        f"{attention}pos_bias_u": (8, dim // 8),
        f"{attention}pos_bias_v": (8, dim // 8),
    }


def block_shapes(size: Sizes, place: str, inputs: int) -> Shapes:
    """A residual block and its transformer blocks in flow.pt's estimator."""
    inner, heads = size.inner, 64 * size.inner_heads
    shapes = biased(
        {
            f"{place}.0.mlp.1": (inner, 4 * inner),
            f"{place}.0.block1.block.0": (inner, inputs, 3),
            f"{place}.0.block1.block.2": (inner,),
            f"{place}.0.block2.block.0": (inner, inner, 3),
            f"{place}.0.block2.block.2": (inner,),
            f"{place}.0.res_conv": (inner, inputs, 1),
        }
    )
    for block in range(size.blocks):
        stem = f"{place}.1.{block}"
        shapes |= {f"{stem}.attn1.to_{part}.weight": (heads, inner) for part in "qkv"}
        shapes |= biased(
            {
                f"{stem}.norm1": (inner,),
                f"{stem}.attn1.to_out.0": (inner, heads),
                f"{stem}.norm3": (inner,),
                f"{stem}.ff.net.0.proj": (4 * inner, inner),
                f"{stem}.ff.net.2": (inner, 4 * inner),
            }
        )
    return shapes


def flow_shapes(size: Sizes) -> Shapes:
    """Entries of flow.pt."""
    dim, inner, inputs = size.flow_dim, size.inner, 4 * BINS
    estimator = "decoder.estimator."
    shapes: Shapes = {"input_embedding.weight": (size.codes, dim)}
    shapes |= biased(
        {
            "spk_embed_affine_layer": (BINS, SPEAKER),
            "encoder_proj": (BINS, dim),
            "encoder.embed.out.0": (dim, dim),
            "encoder.embed.out.1": (dim,),
            "encoder.pre_lookahead_layer.conv1": (dim, dim, 4),
            "encoder.pre_lookahead_layer.conv2": (dim, dim, 3),
            "encoder.up_layer.conv": (dim, dim, 5),
            "encoder.up_embed.out.0": (dim, dim),
            "encoder.up_embed.out.1": (dim,),
            "encoder.after_norm": (dim,),
            f"{estimator}time_mlp.linear_1": (4 * inner, inputs),
            f"{estimator}time_mlp.linear_2": (4 * inner, 4 * inner),
            f"{estimator}down_blocks.0.2": (inner, inner, 3),
            f"{estimator}up_blocks.0.2": (inner, inner, 3),
            f"{estimator}final_block.block.0": (inner, inner, 3),
            f"{estimator}final_block.block.2": (inner,),
            f"{estimator}final_proj": (BINS, inner, 1),
        }
    )
    layers = [f"encoder.encoders.{layer}" for layer in range(size.flow_layers)]
    layers += [f"encoder.up_encoders.{layer}" for layer in range(4)]
    for layer in layers:
        shapes |= {f"{layer}.{name}": shape for name, shape in conformer_shapes(size).items()}
    shapes |= block_shapes(size, f"{estimator}down_blocks.0", inputs)
    for block in range(size.middle):
        shapes |= block_shapes(size, f"{estimator}mid_blocks.{block}", inner)
    return shapes | block_shapes(size, f"{estimator}up_blocks.0", 2 * inner)


def normed(stems: Shapes, transposed: tuple[str, ...] = ()) -> Shapes:
    """A bias, and a weight as length and direction, for each stem."""
    shapes: Shapes = {}
    for stem, shape in stems.items():
        shapes[f"{stem}.bias"] = (shape[1],) if stem in transposed else shape[:1]
        shapes[f"{stem}.parametrizations.weight.original0"] = (shape[0], 1, 1)
        shapes[f"{stem}.parametrizations.weight.original1"] = shape
    return shapes


def hift_shapes(size: Sizes) -> Shapes:
    """Entries of hift.pt."""
    width, ups = size.vocoder, [f"ups.{stage}" for stage in range(3)]
    stems: Shapes = {"conv_pre": (width, BINS, 7), "conv_post": (18, width // 8, 7)}
    alphas: Shapes = {}
    plain: Shapes = {"m_source.l_linear": (1, 9), "f0_predictor.classifier": (1, width)}
    for stage, (kernel, down, source) in enumerate(((16, 30, 7), (11, 6, 7), (7, 1, 11))):
        inner = width // 2 ** (stage + 1)
        stems[ups[stage]] = (2 * inner, inner, kernel)
        plain[f"source_downs.{stage}"] = (inner, 18, down)
        blocks = {f"source_resblocks.{stage}": source}
        blocks |= {f"resblocks.{3 * stage + i}": size for i, size in enumerate((3, 7, 11))}
        for block, taps in blocks.items():
            for half in (f"{block}.{name}.{i}" for name in ("convs1", "convs2") for i in range(3)):
                stems[half] = (inner, inner, taps)
                alphas[f"{half.replace('convs', 'activations')}.alpha"] = (inner,)
    for layer in range(5):
        stems[f"f0_predictor.condnet.{2 * layer}"] = (width, width if layer else BINS, 3)
    return normed(stems, tuple(ups)) | alphas | biased(plain)
