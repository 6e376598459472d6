"""CosyVoice 3's ``flow.pt``: its tensor names and those of our decoder, as one literal table.

Built as that of version 2 (``cosyvoice_flow.py``), and as strict. The rotary frequencies that the
file holds are left out: they follow from the width of a head.
"""

from collections.abc import Mapping

from torch import Tensor

from mamtra.acoustic.decoder import Decoder
from mamtra.acoustic.decoder_config import (
    DecoderConfig,
    DiffusionTransformerConfig,
    TokenEncoderConfig,
)
from mamtra.checkpoints.check_state_dict import built_around
from mamtra.interop.cosyvoice_flow import BOTH, count_of, name_table
from mamtra.interop.names import rename_all, sizes_of
from mamtra.interop.pickles import COUNTERS

ESTIMATOR = "decoder.estimator."
LAYER = {
    "attn_norm.linear": ("modulation", BOTH),
    "attn.to_q": ("q_proj", BOTH),
    "attn.to_k": ("k_proj", BOTH),
    "attn.to_v": ("v_proj", BOTH),
    "attn.to_out.0": ("o_proj", BOTH),
    "ff.ff.0.0": ("widen", BOTH),
    "ff.ff.2": ("narrow", BOTH),
}
SINGLE = {
    "input_embedding": ("encoder.embedding", ("weight",)),
    "spk_embed_affine_layer": ("speaker", BOTH),
    "pre_lookahead_layer.conv1": ("encoder.lookahead.ahead", BOTH),
    "pre_lookahead_layer.conv2": ("encoder.lookahead.behind", BOTH),
    f"{ESTIMATOR}time_embed.time_mlp.0": ("velocity.time.widen", BOTH),
    f"{ESTIMATOR}time_embed.time_mlp.2": ("velocity.time.mix", BOTH),
    f"{ESTIMATOR}input_embed.proj": ("velocity.entrance", BOTH),
    f"{ESTIMATOR}input_embed.conv_pos_embed.conv1.0": ("velocity.position.convs.0", BOTH),
    f"{ESTIMATOR}input_embed.conv_pos_embed.conv2.0": ("velocity.position.convs.1", BOTH),
    f"{ESTIMATOR}norm_out.linear": ("velocity.last_modulation", BOTH),
    f"{ESTIMATOR}proj_out": ("velocity.head", BOTH),
}
REPEATED = ((f"{ESTIMATOR}transformer_blocks.N", "velocity.layers.N", LAYER),)
FROM_FLOW3 = name_table(SINGLE, REPEATED)
FREQUENCIES = f"{ESTIMATOR}rotary_embed.inv_freq"
UNUSED = (FREQUENCIES, *COUNTERS)
CARRIERS = {  # the entries whose shapes tell the sizes
    "embedding": "input_embedding.weight",
    "lookahead": "pre_lookahead_layer.conv1.weight",
    "speaker": "spk_embed_affine_layer.weight",
    "time": f"{ESTIMATOR}time_embed.time_mlp.0.weight",
    "conv": f"{ESTIMATOR}input_embed.conv_pos_embed.conv1.0.weight",
    "query": f"{ESTIMATOR}transformer_blocks.0.attn.to_q.weight",
    "mlp": f"{ESTIMATOR}transformer_blocks.0.ff.ff.0.0.weight",
    "head": f"{ESTIMATOR}proj_out.weight",
    "frequencies": FREQUENCIES,
}


def config_from_flow3(tensors: Mapping[str, Tensor]) -> DecoderConfig:
    """Read the sizes from the shapes of ``flow.pt``; the chunk length is not in them.

    Raises:
        CheckpointError: an entry that tells a size is missing.
    """
    advice = "give the flow.pt of version 3"
    sizes = sizes_of(tensors, CARRIERS, "CosyVoice 3's flow.pt", advice)
    head_dim = 2 * sizes["frequencies"][0]
    encoder = TokenEncoderConfig(
        vocabulary=sizes["embedding"][0],
        dim=sizes["embedding"][1],
        lower_layers=0,
        upper_layers=0,
        lookahead_tokens=sizes["lookahead"][2] - 1,
        lookahead_channels=sizes["lookahead"][0],
    )
    dim, group, kernel = sizes["conv"]
    velocity = DiffusionTransformerConfig(
        bins=sizes["head"][0],
        speaker_bins=sizes["speaker"][0],
        dim=dim,
        layers=count_of(tensors, f"{ESTIMATOR}transformer_blocks."),
        heads=sizes["query"][0] // head_dim,
        head_dim=head_dim,
        mlp_dim=sizes["mlp"][0],
        conv_kernel=kernel,
        conv_groups=dim // group,
        time_sines=sizes["time"][1],
        chunk_frames=encoder.chunk_tokens * encoder.frames_per_token,
    )
    return DecoderConfig(
        encoder=encoder,
        velocity=velocity,
        bins=sizes["head"][0],
        speaker_dim=sizes["speaker"][1],
    )


def decoder_from_cosyvoice3(tensors: Mapping[str, Tensor]) -> tuple[Decoder, tuple[str, ...]]:
    """Build the decoder around a checkpoint's tensors, without copying them.

    Returns:
        The decoder, in the checkpoint's precision, and the names of the entries left out.

    Raises:
        CheckpointError: an entry is unknown, missing or of another shape; all such are listed.
    """
    advice = "give the flow.pt of version 3"
    ours = rename_all(tensors, FROM_FLOW3, "CosyVoice 3's flow", advice, UNUSED)
    config = config_from_flow3(tensors)
    return built_around(lambda: Decoder(config), ours), tuple(set(UNUSED) & set(tensors))
