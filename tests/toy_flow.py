"""A flow.pt at the reference's toy size, and the decoder made from it."""

import math
import zlib
from functools import cache

import numpy as np
import torch
from reference import fixed_noise
from torch import Tensor

from mamtra.acoustic.decoder import Decoder
from mamtra.interop.cosyvoice_flow import (
    CONFORMER,
    REPEATED,
    SINGLE,
    TRANSFORMER,
    decoder_from_cosyvoice,
)

DIM, MLP, INNER, ATTENTION, BINS, SPEAKER = 512, 64, 64, 64, 80, 192
TOY_HEAD_DIM = 32
INPUTS = 4 * BINS

WIDTHS = {  # shapes of the weights; a bias has the first number
    "input_embedding": (200, DIM),
    "spk_embed_affine_layer": (BINS, SPEAKER),
    "encoder_proj": (BINS, DIM),
    "encoder.embed.out.0": (DIM, DIM),
    "encoder.embed.out.1": (DIM,),
    "encoder.pre_lookahead_layer.conv1": (DIM, DIM, 4),
    "encoder.pre_lookahead_layer.conv2": (DIM, DIM, 3),
    "encoder.up_layer.conv": (DIM, DIM, 5),
    "encoder.up_embed.out.0": (DIM, DIM),
    "encoder.up_embed.out.1": (DIM,),
    "encoder.after_norm": (DIM,),
    "decoder.estimator.time_mlp.linear_1": (4 * INNER, INPUTS),
    "decoder.estimator.time_mlp.linear_2": (4 * INNER, 4 * INNER),
    "decoder.estimator.down_blocks.0.2": (INNER, INNER, 3),
    "decoder.estimator.up_blocks.0.2": (INNER, INNER, 3),
    "decoder.estimator.final_block.block.0": (INNER, INNER, 3),
    "decoder.estimator.final_block.block.2": (INNER,),
    "decoder.estimator.final_proj": (BINS, INNER, 1),
}
CONFORMER_WIDTHS = {
    "feed_forward.w_1": (MLP, DIM),
    "feed_forward.w_2": (DIM, MLP),
    "norm_mha": (DIM,),
    "norm_ff": (DIM,),
    "self_attn": (8, 64),
}
TRANSFORMER_WIDTHS = {
    "norm1": (INNER,),
    "norm3": (INNER,),
    "attn1.to_out.0": (INNER, ATTENTION),
    "ff.net.0.proj": (4 * INNER, INNER),
    "ff.net.2": (INNER, 4 * INNER),
}


def resnet_widths(inner: int) -> dict[str, tuple[int, ...]]:
    """Shapes of a residual block."""
    return {
        "block1.block.0": (INNER, inner, 3),
        "block1.block.2": (INNER,),
        "block2.block.0": (INNER, INNER, 3),
        "block2.block.2": (INNER,),
        "mlp.1": (INNER, 4 * INNER),
        "res_conv": (INNER, inner, 1),
    }


def toy_shapes() -> dict[str, tuple[int, ...]]:
    """Entries of flow.pt at the reference's toy size: 1 lower layer, 4 upper, 2 middle blocks."""
    stems = {name: (WIDTHS[name], leaves) for name, (_, leaves) in SINGLE.items()}
    counts = {"encoder.encoders.N": 1, "encoder.up_encoders.N": 4}
    for prefix, _, part in REPEATED:
        for number in range(counts.get(prefix, 2 if "mid_blocks" in prefix else 1)):
            place = prefix.replace("N", str(number)).replace("M", "0")
            for stem, (_, leaves) in part.items():
                if part is CONFORMER:
                    shape = CONFORMER_WIDTHS.get(stem, (DIM, DIM))
                elif part is TRANSFORMER:
                    shape = TRANSFORMER_WIDTHS.get(stem, (ATTENTION, INNER))
                else:
                    first, last = "down_blocks" in prefix, "up_blocks" in prefix
                    shape = resnet_widths(INPUTS if first else 2 * INNER if last else INNER)[stem]
                stems[f"{place}.{stem}"] = (shape, leaves)
    return {
        f"{stem}.{leaf}": shape[:1] if leaf == "bias" else shape
        for stem, (shape, leaves) in stems.items()
        for leaf in leaves
    }


def synthetic(name: str, shape: tuple[int, ...]) -> Tensor:
    """The weights of the reference runs: a function of an entry's name and shape alone."""
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    drawn = generator.standard_normal(size=shape, dtype=np.float32)
    leaf = name.rpartition(".")[2]
    if leaf in ("bias", "pos_bias_u", "pos_bias_v"):
        drawn *= 0.1
    elif len(shape) == 1:
        drawn = 1 + 0.1 * drawn
    elif name != "input_embedding.weight":
        drawn /= math.sqrt(math.prod(shape[1:]))
    return torch.from_numpy(drawn)


@cache
def toy() -> dict[str, Tensor]:
    """A whole toy flow.pt."""
    return {name: synthetic(name, shape) for name, shape in toy_shapes().items()}


@cache
def decoder() -> Decoder:
    """The toy decoder, through the real converter."""
    return decoder_from_cosyvoice(toy(), TOY_HEAD_DIM)[0]


NOISE = fixed_noise(BINS)
