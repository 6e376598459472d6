"""Speech tokens and a voice into sound: all at once, or one by one as they arrive.

Of a stream, samples leave as soon as they are settled. The decoder hands out frames chunk by chunk,
the vocoder samples that no later frame can change: it holds back as many frames as its convolutions
reach, and speaks as many again to lead in. So the joined samples are those of ``chunked_sound``,
which decodes the same tokens at once.
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from mamtra.acoustic.decoder import Decoder, DecoderStream, Prompt
from mamtra.acoustic.flow_matching import fixed_noise
from mamtra.acoustic.vocoder import Vocoder
from mamtra.acoustic.vocoder_stream import exact_frames, new_state, speak_chunk
from mamtra.audio.joiner import Samples
from mamtra.synthesis.parts import SpeakingParts
from mamtra.synthesis.speech import Timings
from mamtra.synthesis.stopwatch import Stopwatch
from mamtra.voice.voice import Voice


def noise_for(
    vocoder: Vocoder, tokens: int, frames_per_token: int, draw: torch.Generator
) -> Tensor:
    """The vocoder's noise, drawn token by token so that cuts make no difference."""
    drawn = [vocoder.draw_noise(1, frames_per_token, draw) for _ in range(tokens)]
    return torch.cat(drawn, -1)


def prompt_of(decoder: Decoder, voice: Voice) -> Prompt | None:
    """What the decoder continues, if it is one that can and the voice has it."""
    if not decoder.config.steps or not len(voice.tokens):
        return None
    return Prompt(tokens=voice.tokens[None], mel=voice.mel[None])


def flow_noise(decoder: Decoder, device: torch.device) -> Tensor | None:
    """Where the decoder's flow starts, if it has one."""
    return fixed_noise(decoder.config.bins).to(device) if decoder.config.steps else None


def draw_mel(
    decoder: Decoder, tokens: Int[Tensor, "1 tokens"], voice: Voice, chunked: bool = False
) -> Float[Tensor, "1 bins frames"]:
    """Mel features of speech tokens in a voice, all at once.

    A decoder with flow matching continues the voice's prompt; one without knows the voice from its
    vector alone.

    Args:
        decoder: of the model.
        tokens: speech tokens.
        voice: on their device.
        chunked: with the masks of streaming.
    """
    prompt, noise = prompt_of(decoder, voice), flow_noise(decoder, tokens.device)
    return decoder(tokens, voice.speaker[None], prompt, noise, chunked=chunked)


@torch.inference_mode()
def chunked_sound(
    parts: SpeakingParts, tokens: list[int], voice: Voice, seed: int
) -> Float[np.ndarray, " samples"]:
    """All tokens of a piece at once, with the masks of streaming: what its stream must equal.

    Args:
        parts: the model.
        tokens: speech tokens.
        voice: on the model's device.
        seed: of the piece.
    """
    decoder = parts.decoder
    mel = draw_mel(decoder, torch.tensor([tokens], device=parts.device), voice, chunked=True)
    draw = torch.Generator().manual_seed(seed)
    per_token = decoder.config.sizes_of_encoder.frames_per_token
    breath = noise_for(parts.vocoder, len(tokens), per_token, draw)
    return parts.vocoder(mel, breath)[0].float().cpu().numpy()


class Sounding:
    """The speech tokens of one piece on their way to samples.

    Args:
        parts: the model.
        voice: on the model's device.
        seed: of the piece.
        noise: from ``flow_noise``.
    """

    def __init__(self, parts: SpeakingParts, voice: Voice, seed: int, noise: Tensor | None) -> None:
        self.parts = parts
        self.decoding = DecoderStream(
            speaker=voice.speaker[None], prompt=prompt_of(parts.decoder, voice), noise=noise
        )
        enough = exact_frames(parts.vocoder.config)
        self.state = new_state(
            parts.vocoder, context_frames=enough, overlap_frames=enough, fade_frames=0
        )
        self.draw = torch.Generator().manual_seed(seed)
        self.timings = Timings()

    @property
    def tokens(self) -> list[int]:
        """What has arrived."""
        return self.decoding.tokens

    @property
    def heard(self) -> bool:
        """Whether frames were handed out, so that there is no way back."""
        return self.decoding.frames > 0

    def drop(self, count: int) -> None:
        """Forget the last tokens, as far as that is possible."""
        self.decoding.drop(self.parts.decoder, count)

    @torch.inference_mode()
    def push(self, tokens: list[int], final: bool = False) -> Samples:
        """Take tokens, give the samples that no later token can change; ``final`` the rest."""
        decoder, vocoder = self.parts.decoder, self.parts.vocoder
        watch = Stopwatch(self.parts.device)
        mel = self.decoding.push(decoder, tokens, final)
        if not mel.shape[-1] and not final:
            return np.zeros(0, np.float32)
        drawn = watch.lap()
        per_token = decoder.config.sizes_of_encoder.frames_per_token
        breath = self.state.noise[..., :0]
        if count := mel.shape[-1] // per_token:
            breath = noise_for(vocoder, count, per_token, self.draw)
        samples = speak_chunk(vocoder, mel, self.state, breath, last=final)
        found = samples[0].float().cpu().numpy()
        self.timings = self.timings + Timings(decoder=drawn, vocoder=watch.lap())
        return found
