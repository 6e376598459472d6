"""CosyVoice 2's ``flow.pt``: its tensor names and those of our decoder, as one literal table.

``N`` and ``M`` stand for the numbers of layers and blocks. The one level of the original's U-Net
has the number 0 there and none here. Sizes are read from the shapes, so that small models of the
same form load too. The table is strict: every entry is used or listed as unused, every weight is
filled.
"""

from collections.abc import Mapping

from torch import Tensor

from mamtra.acoustic.decoder import Decoder, DecoderConfig
from mamtra.acoustic.token_encoder import TokenEncoderConfig
from mamtra.acoustic.velocity import VelocityConfig
from mamtra.checkpoints.check_state_dict import built_around
from mamtra.interop.names import rename_all, sizes_of
from mamtra.interop.pickles import COUNTERS

BOTH = ("weight", "bias")
CONFORMER = {
    "self_attn.linear_q": ("attention.q_proj", BOTH),
    "self_attn.linear_k": ("attention.k_proj", BOTH),
    "self_attn.linear_v": ("attention.v_proj", BOTH),
    "self_attn.linear_out": ("attention.o_proj", BOTH),
    "self_attn.linear_pos": ("attention.position_proj", ("weight",)),
    "self_attn": ("attention", ("pos_bias_u", "pos_bias_v")),
    "feed_forward.w_1": ("mlp.widen", BOTH),
    "feed_forward.w_2": ("mlp.narrow", BOTH),
    "norm_mha": ("attention_norm", BOTH),
    "norm_ff": ("mlp_norm", BOTH),
}
RESNET = {
    "block1.block.0": ("first.conv.conv", BOTH),
    "block1.block.2": ("first.norm", BOTH),
    "block2.block.0": ("second.conv.conv", BOTH),
    "block2.block.2": ("second.norm", BOTH),
    "mlp.1": ("time", BOTH),
    "res_conv": ("direct", BOTH),
}
TRANSFORMER = {
    "norm1": ("attention_norm", BOTH),
    "attn1.to_q": ("q_proj", ("weight",)),
    "attn1.to_k": ("k_proj", ("weight",)),
    "attn1.to_v": ("v_proj", ("weight",)),
    "attn1.to_out.0": ("o_proj", BOTH),
    "norm3": ("mlp_norm", BOTH),
    "ff.net.0.proj": ("widen", BOTH),
    "ff.net.2": ("narrow", BOTH),
}
SINGLE = {
    "input_embedding": ("encoder.embedding", ("weight",)),
    "spk_embed_affine_layer": ("speaker", BOTH),
    "encoder_proj": ("mean_head", BOTH),
    "encoder.embed.out.0": ("encoder.entrance.linear", BOTH),
    "encoder.embed.out.1": ("encoder.entrance.norm", BOTH),
    "encoder.pre_lookahead_layer.conv1": ("encoder.lookahead.ahead", BOTH),
    "encoder.pre_lookahead_layer.conv2": ("encoder.lookahead.behind", BOTH),
    "encoder.up_layer.conv": ("encoder.upsampling.conv", BOTH),
    "encoder.up_embed.out.0": ("encoder.upper_entrance.linear", BOTH),
    "encoder.up_embed.out.1": ("encoder.upper_entrance.norm", BOTH),
    "encoder.after_norm": ("encoder.norm", BOTH),
    "decoder.estimator.time_mlp.linear_1": ("velocity.time.widen", BOTH),
    "decoder.estimator.time_mlp.linear_2": ("velocity.time.mix", BOTH),
    "decoder.estimator.down_blocks.0.2": ("velocity.first_conv.conv", BOTH),
    "decoder.estimator.up_blocks.0.2": ("velocity.last_conv.conv", BOTH),
    "decoder.estimator.final_block.block.0": ("velocity.final.conv.conv", BOTH),
    "decoder.estimator.final_block.block.2": ("velocity.final.norm", BOTH),
    "decoder.estimator.final_proj": ("velocity.head", BOTH),
}
# repeated parts: their prefix, our prefix, what they hold
REPEATED = (
    ("encoder.encoders.N", "encoder.layers.N", CONFORMER),
    ("encoder.up_encoders.N", "encoder.upper_layers.N", CONFORMER),
    ("decoder.estimator.down_blocks.0.0", "velocity.first.residual", RESNET),
    ("decoder.estimator.down_blocks.0.1.N", "velocity.first.blocks.N", TRANSFORMER),
    ("decoder.estimator.mid_blocks.N.0", "velocity.middle.N.residual", RESNET),
    ("decoder.estimator.mid_blocks.N.1.M", "velocity.middle.N.blocks.M", TRANSFORMER),
    ("decoder.estimator.up_blocks.0.0", "velocity.last.residual", RESNET),
    ("decoder.estimator.up_blocks.0.1.N", "velocity.last.blocks.N", TRANSFORMER),
)
RENAMED_LEAVES = {"pos_bias_u": "content_bias", "pos_bias_v": "position_bias"}


Single = Mapping[str, tuple[str, tuple[str, ...]]]
Repeated = tuple[tuple[str, str, Single], ...]


def name_table(single: Single, repeated: Repeated) -> dict[str, str]:
    """Every name of theirs, numbers written ``N`` and ``M``, with ours."""
    whole = dict(single)
    for theirs, ours, part in repeated:
        whole |= {f"{theirs}.{a}": (f"{ours}.{b}", leaves) for a, (b, leaves) in part.items()}
    return {
        f"{theirs}.{leaf}": f"{ours}.{RENAMED_LEAVES.get(leaf, leaf)}"
        for theirs, (ours, leaves) in whole.items()
        for leaf in leaves
    }


FROM_FLOW = name_table(SINGLE, REPEATED)
UNUSED = COUNTERS
WHAT, ADVICE = "CosyVoice 2's flow", "give the flow.pt of version 2"
HEAD_DIM = 64  # cosyvoice2.yaml: attention_head_dim; the one size that tensor shapes do not show
CARRIERS = {  # the entries whose shapes tell the sizes
    "embedding": "input_embedding.weight",
    "heads": "encoder.encoders.0.self_attn.pos_bias_u",
    "mlp": "encoder.encoders.0.feed_forward.w_1.weight",
    "lookahead": "encoder.pre_lookahead_layer.conv1.weight",
    "speaker": "spk_embed_affine_layer.weight",
    "mel": "decoder.estimator.final_proj.weight",
    "query": "decoder.estimator.down_blocks.0.1.0.attn1.to_q.weight",
}


def count_of(names: Mapping[str, Tensor], before: str) -> int:
    """How many numbered parts stand behind a prefix."""
    return len({name[len(before) :].split(".")[0] for name in names if name.startswith(before)})


def config_from_flow(
    tensors: Mapping[str, Tensor],
    head_dim: int = HEAD_DIM,
    what: str = WHAT,
    advice: str = ADVICE,
) -> DecoderConfig:
    """Read the sizes from the shapes of ``flow.pt``; the chunk length is not in them.

    Args:
        tensors: its entries.
        head_dim: width of an attention head of the velocity network, which no shape shows.
        what: the checkpoint is, and ``advice``, what to give instead; for the message.

    Raises:
        CheckpointError: an entry that tells a size is missing.
    """
    sizes = sizes_of(tensors, CARRIERS, what, advice)
    encoder = TokenEncoderConfig(
        vocabulary=sizes["embedding"][0],
        dim=sizes["embedding"][1],
        heads=sizes["heads"][0],
        mlp_dim=sizes["mlp"][0],
        lower_layers=count_of(tensors, "encoder.encoders."),
        upper_layers=count_of(tensors, "encoder.up_encoders."),
        lookahead_tokens=sizes["lookahead"][2] - 1,
    )
    velocity = VelocityConfig(
        bins=sizes["mel"][0],
        speaker_bins=sizes["speaker"][0],
        dim=sizes["mel"][1],
        heads=sizes["query"][0] // head_dim,
        head_dim=head_dim,
        blocks=count_of(tensors, "decoder.estimator.down_blocks.0.1."),
        middle=count_of(tensors, "decoder.estimator.mid_blocks."),
        chunk_frames=encoder.chunk_tokens * encoder.frames_per_token,
    )
    return DecoderConfig(
        encoder=encoder,
        velocity=velocity,
        bins=sizes["mel"][0],
        speaker_dim=sizes["speaker"][1],
    )


def decoder_from_cosyvoice(
    tensors: Mapping[str, Tensor], head_dim: int = HEAD_DIM
) -> tuple[Decoder, tuple[str, ...]]:
    """Build the decoder around a checkpoint's tensors, without copying them.

    Returns:
        The decoder, in the checkpoint's precision, and the names of the entries left out.

    Raises:
        CheckpointError: an entry is unknown, missing or of another shape; all such are listed.
    """
    ours = rename_all(tensors, FROM_FLOW, WHAT, ADVICE, UNUSED)
    config = config_from_flow(tensors, head_dim)
    return built_around(lambda: Decoder(config), ours), tuple(set(UNUSED) & set(tensors))
