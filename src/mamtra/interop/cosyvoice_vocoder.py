"""CosyVoice's vocoder (hift.pt), versions 2 and 3: its names and ours, its weight norm folded.

The published weights are normed: each is stored as a direction and a length, in one of two
spellings. Ours are plain, so the two are folded into one; but version 3's pitch network keeps both,
for it multiplies them in float64. ``N`` and ``M`` stand for numbers. Every tensor must be used and
every weight filled. Both versions have the same names; shapes tell them apart.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from mamtra.acoustic.vocoder import Vocoder, VocoderConfig
from mamtra.checkpoints.check_state_dict import built_around, check_floats
from mamtra.errors import CheckpointError, listed
from mamtra.interop.names import renamed, sizes_of

FROM_HIFT = {
    "m_source.l_linear": "source.mix",
    "conv_pre": "conv_in",
    "conv_post": "conv_out",
    "ups.N": "upsamplers.N",
    "source_downs.N": "source_downs.N",
    "source_resblocks.N.convs1.M": "source_blocks.N.dilated.M",
    "source_resblocks.N.convs2.M": "source_blocks.N.plain.M",
    "source_resblocks.N.activations1.M": "source_blocks.N.dilated_snakes.M",
    "source_resblocks.N.activations2.M": "source_blocks.N.plain_snakes.M",
    "resblocks.N.convs1.M": "blocks.N.dilated.M",
    "resblocks.N.convs2.M": "blocks.N.plain.M",
    "resblocks.N.activations1.M": "blocks.N.dilated_snakes.M",
    "resblocks.N.activations2.M": "blocks.N.plain_snakes.M",
    "f0_predictor.condnet.0": "pitch.convs.0",
    "f0_predictor.condnet.2": "pitch.convs.1",
    "f0_predictor.condnet.4": "pitch.convs.2",
    "f0_predictor.condnet.6": "pitch.convs.3",
    "f0_predictor.condnet.8": "pitch.convs.4",
    "f0_predictor.classifier": "pitch.output",
}
LENGTHS = (".parametrizations.weight.original0", ".weight_g")
DIRECTIONS = (".parametrizations.weight.original1", ".weight_v")
LEAVES = ("weight", "bias", "alpha", "direction", "length")
NAMES = {f"{theirs}.{leaf}": f"{o}.{leaf}" for theirs, o in FROM_HIFT.items() for leaf in LEAVES}
PITCH = "f0_predictor.condnet."
CAUSAL_TAPS = 5  # of conv_pre in version 3
CONVOLUTION = 3  # axes of its weight
ADVICE = "give the hift.pt of version 2 or 3"
PREFIX = "generator."  # of checkpoints saved during adversarial training


def is_causal(tensors: Mapping[str, Tensor]) -> bool:
    """Whether a hift.pt is version 3's: its first convolution has 5 taps, version 2's has 7."""
    names = [f"conv_pre{end}" for end in (*DIRECTIONS, ".weight")]
    found = [
        tensors[f"{before}{name}"]
        for name in names
        for before in ("", PREFIX)
        if f"{before}{name}" in tensors
    ]
    return any(tensor.shape[-1:] == (CAUSAL_TAPS,) for tensor in found)


def folded(tensors: Mapping[str, Tensor], keep_pitch: bool = False) -> dict[str, Tensor]:
    """Replace every direction and length by the weight they stand for; other tensors stay.

    With ``keep_pitch`` those of the pitch network stay apart.

    Raises:
        CheckpointError: a direction lacks its length, has another one's, or its weight is there; or
            either is no float.
    """
    plain = dict(tensors)
    for length_end, direction_end in zip(LENGTHS, DIRECTIONS, strict=True):
        for name in [name for name in plain if name.endswith(direction_end)]:
            stem = name.removesuffix(direction_end)
            direction, length = plain.pop(name), plain.pop(stem + length_end, None)
            if length is None:
                raise CheckpointError(f"{name} has no {stem + length_end} beside it")
            if direction.dim() != CONVOLUTION or length.shape != (len(direction), 1, 1):
                raise CheckpointError(
                    f"{name} {tuple(direction.shape)} and {stem + length_end} "
                    f"{tuple(length.shape)} are no direction and length of a convolution; {ADVICE}"
                )
            if keep_pitch and stem.startswith(PITCH):
                plain |= {f"{stem}.direction": direction, f"{stem}.length": length}
                continue
            check_floats({name: direction, stem + length_end: length})
            if f"{stem}.weight" in plain:
                raise CheckpointError(f"{stem} is there twice, whole and as a direction; {ADVICE}")
            # both spellings norm over all axes but the first
            norm = torch.linalg.vector_norm(direction, dim=(1, 2), keepdim=True)
            plain[f"{stem}.weight"] = direction * (length / norm)
    return plain


def from_hift(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a hift.pt as those of a ``Vocoder``, float32; unknown ones keep their names.

    Args:
        tensors: theirs, normed or not, with or without the prefix of adversarial training.

    Raises:
        CheckpointError: a weight is there twice, or its direction and length do not go together.
    """
    bare = {name.removeprefix(PREFIX): tensor for name, tensor in tensors.items()}
    if twice := sorted(name for name in bare if name in tensors and f"{PREFIX}{name}" in tensors):
        raise CheckpointError(f"entries are there with and without {PREFIX!r}: {listed(twice)}")
    plain = folded(bare, is_causal(bare))
    return {renamed(name, NAMES) or name: tensor.float() for name, tensor in plain.items()}


def config_from_hift(ours: Mapping[str, Tensor]) -> VocoderConfig:
    """CosyVoice's sizes with the widths of the renamed tensors; strides leave no trace in them.

    Raises:
        CheckpointError: the tensors that tell the widths are missing.
    """
    carriers = {"conv": "conv_in.weight", "pitch": "pitch.output.weight"}
    sizes = sizes_of(ours, carriers, "a vocoder of CosyVoice", ADVICE)
    return replace(
        VocoderConfig(),
        channels=sizes["conv"][0],
        pitch_channels=sizes["pitch"][1],
        causal=sizes["conv"][2] == CAUSAL_TAPS,
    )


def vocoder_from_cosyvoice(tensors: Mapping[str, Tensor], **more: Any) -> Vocoder:
    """Build the vocoder from a checkpoint's tensors.

    Args:
        tensors: its entries.
        more: what no shape tells, where it is not CosyVoice's own (``VocoderConfig``).

    Raises:
        CheckpointError: a tensor is unknown, missing or of another shape; all such are listed.
    """
    ours = from_hift(tensors)
    config = replace(config_from_hift(ours), **more)
    return built_around(lambda: Vocoder(config), ours, "these weights do not fit the vocoder")
