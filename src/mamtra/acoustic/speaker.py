"""A voice as one vector of length one: what nano's decoder is told about who speaks.

A few convolutions over the mel features, then mean and spread of every channel over time, so clips
of any length work. It learns together with the decoder, always from another utterance than the one
to be drawn: only what the utterances of a voice have in common helps.
"""

from itertools import pairwise

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import normalize, relu

from mamtra.acoustic.config import SpeakerConfig
from mamtra.acoustic.token_encoder import length_mask

VARIANCE_FLOOR = 1e-5


class SpeakerLayer(nn.Module):
    """A convolution over neighbouring frames and a norm."""

    def __init__(self, inner: int, outer: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inner, outer, kernel, padding=kernel // 2)
        self.norm = nn.LayerNorm(outer)

    def forward(
        self, hidden: Float[Tensor, "batch time inner"]
    ) -> Float[Tensor, "batch time outer"]:
        """One layer."""
        mixed = rearrange(self.conv(rearrange(hidden, "b t d -> b d t")), "b d t -> b t d")
        return relu(self.norm(mixed))


class SpeakerEncoder(nn.Module):
    """Mel features of a clip in, the speaker's vector out."""

    def __init__(self, config: SpeakerConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.bins] + [config.dim] * config.layers
        self.layers = nn.ModuleList(
            SpeakerLayer(inner, outer, config.kernel) for inner, outer in pairwise(widths)
        )
        self.projection = nn.Linear(2 * config.dim, config.width)

    def forward(
        self,
        mel: Float[Tensor, "batch bins frames"],
        lengths: Int[Tensor, "batch"] | None = None,
    ) -> Float[Tensor, "batch width"]:
        """The vector of each clip, of length one.

        Args:
            mel: log-mel features.
            lengths: real frames of each row; all, if not given.
        """
        config, dtype = self.config, self.projection.weight.dtype
        if lengths is None:
            lengths = torch.full((mel.shape[0],), mel.shape[-1], device=mel.device)
        mask = length_mask(lengths, mel.shape[-1])[..., None].to(dtype)
        hidden = rearrange((mel - config.mel_offset) / config.mel_scale, "b m t -> b t m").to(dtype)
        for layer in self.layers:
            hidden = layer(hidden * mask)
        hidden, mask = hidden.float(), mask.float()
        count = mask.sum(1)
        mean = (hidden * mask).sum(1) / count
        variance = ((hidden - mean[:, None]).square() * mask).sum(1) / count
        pooled = torch.cat([mean, (variance + VARIANCE_FLOOR).sqrt()], -1)
        return normalize(self.projection(pooled.to(dtype)).float(), dim=-1)
