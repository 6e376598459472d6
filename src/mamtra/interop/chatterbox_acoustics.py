"""Chatterbox's ``s3gen.safetensors``: CosyVoice 2's flow and vocoder under prefixes, which behave
otherwise in places that no shape tells.

The excitation is older (phases counted at every sample), and every utterance begins with 20 ms of
silence and fades in over the next 20 ms.
"""

from collections.abc import Mapping

from torch import Tensor

from mamtra.acoustic.vocoder import Vocoder
from mamtra.interop.cosyvoice_vocoder import vocoder_from_cosyvoice

VOCODER = "mel2wav."
OPENING_FRAMES = 1  # s3gen.py: trim_fade is 20 ms of silence, then 20 ms of a cosine


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The entries of one network, without its prefix."""
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def vocoder_from_chatterbox(tensors: Mapping[str, Tensor]) -> Vocoder:
    """Build the vocoder from an s3gen file's entries.

    Raises:
        CheckpointError: a tensor is unknown, missing or of another shape; all such are listed.
    """
    return vocoder_from_cosyvoice(
        under(VOCODER, tensors), sampled_phases=True, opening_frames=OPENING_FRAMES
    )
