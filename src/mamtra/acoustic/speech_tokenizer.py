"""The speech tokenizer: 25 tokens a second that say *which sound*, not how it sounds.

An encoder is trained to recognise speech with a quantiser inside (the idea of CosyVoice's
supervised tokens): what passes the quantiser must be enough to name the phones, to follow the pitch
around the clip's mean, and to redraw the mel features when the speaker is given. Each clip's mean
is removed from every mel bin first, and the clip's scale from all, which takes most of the
speaker's colour away.

Only the encoder and the quantiser are used after training; ``Recogniser`` holds the part that
teaches them.
"""

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from mamtra.acoustic.config import FRAMES_PER_TOKEN, SpeechTokenizerConfig
from mamtra.acoustic.quantizer import Quantizer
from mamtra.acoustic.token_encoder import length_mask

MEL_LEVEL = -6.0  # where the drawn mel features start
EXPANSION = 3  # inner width of a block against its outer width


class ConvBlock(nn.Module):
    """Depthwise convolution, norm and a two-layer network, added to what came in."""

    def __init__(self, dim: int, kernel: int) -> None:
        super().__init__()
        self.mix = nn.Conv1d(dim, dim, kernel, padding=kernel // 2, groups=dim)
        self.norm = nn.LayerNorm(dim)
        self.widen = nn.Linear(dim, EXPANSION * dim)
        self.narrow = nn.Linear(EXPANSION * dim, dim)
        nn.init.normal_(self.narrow.weight, std=0.02 / EXPANSION)

    def forward(
        self, hidden: Float[Tensor, "batch time dim"], mask: Float[Tensor, "batch time 1"]
    ) -> Float[Tensor, "batch time dim"]:
        """Nothing leaks in from padding: it is zero before the convolution."""
        mixed = rearrange(self.mix(rearrange(hidden * mask, "b t d -> b d t")), "b d t -> b t d")
        return hidden + self.narrow(nn.functional.relu(self.widen(self.norm(mixed))))


class SpeechTokenizer(nn.Module):
    """Mel features in, speech token ids out."""

    def __init__(self, config: SpeechTokenizerConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = nn.Linear(FRAMES_PER_TOKEN * config.bins, config.dim)
        self.blocks = nn.ModuleList(
            ConvBlock(config.dim, config.kernel) for _ in range(config.blocks)
        )
        self.norm = nn.LayerNorm(config.dim)
        self.quantizer = Quantizer(config.dim, config.digits)

    def hidden(
        self, mel: Float[Tensor, "batch bins frames"], frames: Int[Tensor, "batch"]
    ) -> tuple[Float[Tensor, "batch time dim"], Float[Tensor, "batch time 1"]]:
        """What the quantiser will round, and the mask of its times."""
        mel = mel[..., : mel.shape[-1] // FRAMES_PER_TOKEN * FRAMES_PER_TOKEN]
        real = length_mask(frames, mel.shape[-1])[:, None]
        count = frames[:, None, None].clamp(min=1)
        mean = (mel * real).sum(-1, keepdim=True) / count
        centred = (mel - mean) * real
        scale = (centred.square().sum((1, 2), keepdim=True) / (count * mel.shape[1])).sqrt()
        normal = centred / (scale + 1e-3)
        pairs = rearrange(normal, "b m (t f) -> b t (f m)", f=FRAMES_PER_TOKEN)
        dtype = self.stem.weight.dtype
        mask = length_mask(frames // FRAMES_PER_TOKEN, pairs.shape[1])[..., None].to(dtype)
        hidden = self.stem(pairs.to(dtype))
        for block in self.blocks:
            hidden = block(hidden, mask)
        return self.norm(hidden), mask

    @torch.inference_mode()
    def encode(
        self,
        mel: Float[Tensor, "batch bins frames"],
        frames: Int[Tensor, "batch"] | None = None,
    ) -> Int[Tensor, "batch tokens"]:
        """Speech tokens of clips; ``frames // 2`` of a row are real, the rest is padding."""
        if frames is None:
            frames = torch.full((mel.shape[0],), mel.shape[-1], device=mel.device)
        return self.quantizer.ids(self.hidden(mel, frames)[0])


class Recogniser(nn.Module):
    """A tokenizer with the heads that supervise it: phones, pitch, and the mel features.

    Args:
        config: the tokenizer's sizes.
        phones: how many phones there are; one more class is CTC's blank (class 0).
        speakers: how many voices the training corpus has.
    """

    def __init__(self, config: SpeechTokenizerConfig, phones: int, speakers: int) -> None:
        super().__init__()
        self.tokenizer = SpeechTokenizer(config)
        self.blocks = nn.ModuleList(ConvBlock(config.dim, 5) for _ in range(3))
        self.spread = nn.Linear(config.dim, FRAMES_PER_TOKEN * config.dim)
        self.phone_norm = nn.LayerNorm(config.dim)
        self.phone_head = nn.Linear(config.dim, phones + 1)
        self.pitch_head = nn.Linear(config.dim, 2)
        self.speaker = nn.Embedding(speakers, config.dim)
        self.mel_block = ConvBlock(config.dim, 5)
        self.mel_head = nn.Linear(config.dim, config.bins)
        nn.init.constant_(self.mel_head.bias, MEL_LEVEL)

    def forward(
        self,
        mel: Float[Tensor, "batch bins frames"],
        frames: Int[Tensor, "batch"],
        speaker: Int[Tensor, "batch"],
    ) -> tuple[
        Float[Tensor, "batch even classes"],
        Float[Tensor, "batch bins even"],
        Float[Tensor, "batch even 2"],
    ]:
        """From the tokens, at the mel's rate: log-probabilities of phones; mel features; and
        whether there is voice (a logit) with its pitch against the clip's mean.

        An odd last frame belongs to no token and gets nothing.
        """
        hidden, mask = self.tokenizer.hidden(mel, frames)
        hidden = self.tokenizer.quantizer(hidden)
        for block in self.blocks:
            hidden = block(hidden, mask)
        wide = rearrange(self.spread(hidden), "b t (f d) -> b (t f) d", f=FRAMES_PER_TOKEN)
        named = self.phone_norm(wide)
        phones = self.phone_head(named).float().log_softmax(-1)
        melody = self.pitch_head(named).float()
        wide_mask = mask.repeat_interleave(FRAMES_PER_TOKEN, dim=1)
        drawn = self.mel_block(wide + self.speaker(speaker)[:, None], wide_mask)
        return phones, rearrange(self.mel_head(drawn).float(), "b t m -> b m t"), melody
