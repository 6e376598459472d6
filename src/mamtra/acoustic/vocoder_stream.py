"""The vocoder in pieces: mel features arrive in chunks, samples leave as soon as they are settled.

The last frames of a chunk sound different once their future is known, so they are held back, spoken
again with the next chunk, and faded from the old rendering into the new one. Frames before those
are kept as context only. CosyVoice 2 keeps 8 frames for both purposes at once; that is
``context_frames=0, overlap_frames=8, fade_frames=8``. We differ on purpose in two places: its
excitation starts a new phase behind every join, ours goes on, and its two Hamming halves add up to
1.08, ours to 1. With enough of both kinds of frames (``exact_frames``, ``ahead_frames``) the joined
pieces equal the whole.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mamtra.acoustic.pitch import PitchPredictor
from mamtra.acoustic.vocoder import Vocoder, VocoderConfig
from mamtra.errors import ConfigError

CAUSAL_AHEAD = 8  # CosyVoice 3: 3 for the pitch, 4 for the trunk, 1 for the windows of the spectra
REFERENCE_FRAMES = 8  # CosyVoice 2: mel_cache_len


@dataclass(slots=True)
class VocoderState:
    """What one stream remembers; its size does not grow.

    Attributes:
        mel: the frames kept, context first, then those held back.
        pitch: of the context frames, settled.
        noise: of all kept frames.
        cycles: how far the phases had come before the first kept frame.
        tail: the held-back samples from which the next chunk is faded in.
        spoken: samples that have left.
    """

    context_frames: int
    overlap_frames: int
    fade_frames: int
    mel: Float[Tensor, "batch bins kept"]
    pitch: Float[Tensor, "batch settled"]
    noise: Float[Tensor, "batch noises kept_samples"]
    cycles: Float[Tensor, "batch counters"]
    tail: Float[Tensor, "batch held_samples"]
    spoken: int = 0

    @property
    def nbytes(self) -> int:
        """Bytes held now."""
        held = (self.mel, self.pitch, self.noise, self.cycles, self.tail)
        return sum(tensor.numel() * tensor.element_size() for tensor in held)


def reaches(config: VocoderConfig) -> tuple[float, float]:
    """Frames to one side that mel features, and the excitation, have a say in at most.

    Half a frame is added, since a frame has a width.
    """
    # a causal convolution sees on one side what the other form sees on both
    sides = 2 if config.causal else 1
    final = math.prod(config.upsample_rates)
    windows = config.n_fft / config.hop / 2 / final
    mel, excited, rate = 3.0, 0.0, 1
    for factor, kernel, source_kernel in zip(
        config.upsample_rates, config.upsample_kernels, config.source_kernels, strict=True
    ):
        upsampler = sides * kernel / factor / 2 / rate
        rate *= factor
        stride = 1 / rate if rate < final else 0.0
        block, source_block = (
            sides * sum((width - 1) // 2 * (dilation + 1) for dilation in config.dilations) / rate
            for width in (max(config.block_kernels), source_kernel)
        )
        entering = 0.5 + windows + sides * stride + source_block  # 0.5: pitch between two frames
        mel += upsampler + block
        excited = max(excited + upsampler, entering) + block
    last = (sides * 3 + 1) / final + windows + 0.5
    return mel + last, excited + last


def exact_frames(config: VocoderConfig) -> int:
    """Frames of context with which the pieces equal the whole; their pitch is settled."""
    pitch = PitchPredictor.layers * (2 if config.causal else 1)
    return math.ceil(max(*reaches(config), pitch))


def ahead_frames(config: VocoderConfig) -> int:
    """Frames that must follow before a frame's samples are settled."""
    if config.causal:
        return CAUSAL_AHEAD
    mel, excited = reaches(config)
    return math.ceil(max(mel, PitchPredictor.layers + excited))


def new_state(
    vocoder: Vocoder,
    batch: int = 1,
    context_frames: int = REFERENCE_FRAMES,
    overlap_frames: int = REFERENCE_FRAMES,
    fade_frames: int = REFERENCE_FRAMES // 2,
) -> VocoderState:
    """The state before the first chunk.

    Args:
        vocoder: the vocoder that will speak.
        batch: streams at once.
        context_frames: frames spoken again only to lead into the next chunk.
        overlap_frames: frames held back.
        fade_frames: how many of those the fade takes.

    Raises:
        ConfigError: a number of frames is negative, or the fade longer than the overlap.
    """
    if context_frames < 0 or not 0 <= fade_frames <= overlap_frames:
        raise ConfigError(
            f"context_frames={context_frames} must not be negative and fade_frames={fade_frames} "
            f"must lie between 0 and overlap_frames={overlap_frames}"
        )
    weight = vocoder.conv_out.weight

    def empty(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.zeros(shape, dtype=dtype, device=weight.device)

    return VocoderState(
        context_frames=context_frames,
        overlap_frames=overlap_frames,
        fade_frames=fade_frames,
        mel=empty(batch, vocoder.config.bins, 0),
        pitch=empty(batch, 0),
        noise=empty(batch, vocoder.config.noises, 0),
        cycles=empty(batch, vocoder.source.counters, dtype=torch.float64),
        tail=empty(batch, 0),
    )


def faded(
    old: Float[Tensor, "batch held_samples"], new: Float[Tensor, "batch samples"]
) -> Float[Tensor, "batch samples"]:
    """Go over from the old rendering to the new one along a raised cosine."""
    length = old.shape[-1]
    turn = (torch.arange(length, device=old.device) + 0.5) / max(1, length)
    rising = (1 - (math.pi * turn).cos()) / 2
    start = old + (new[..., :length] - old) * rising
    return torch.cat([start, new[..., length:]], dim=-1)


def speak_chunk(
    vocoder: Vocoder,
    mel: Float[Tensor, "batch bins frames"],
    state: VocoderState,
    noise: Float[Tensor, "batch noises samples"],
    last: bool = False,
) -> Float[Tensor, "batch spoken"]:
    """Speak the next chunk of mel features; updates the state in place.

    Args:
        vocoder: the vocoder.
        mel: the frames that are new.
        state: from ``new_state``, then carried along.
        noise: of the new frames, from ``Vocoder.draw_noise``.
        last: nothing is held back, the stream ends.
    """
    hop, settled = vocoder.config.mel_hop, state.pitch.shape[-1]
    begins = not state.spoken and not state.mel.shape[-1]
    mel = torch.cat([state.mel, mel], dim=-1)
    noise = torch.cat([state.noise, noise], dim=-1)
    if not mel.shape[-1]:
        return state.tail  # nothing has come yet
    if begins:
        state.cycles = vocoder.source.start(noise)
    pitch = torch.cat([state.pitch, vocoder.predict_pitch(mel)[:, settled:]], dim=-1)
    made = vocoder.decode(mel, vocoder.source(pitch, noise, state.cycles))
    made = faded(state.tail, made[:, settled * hop :])
    if last:
        return vocoder.opened(made, state.spoken)
    frames = mel.shape[-1]
    held = min(state.overlap_frames, frames - settled)
    dropped = max(0, frames - held - state.context_frames)
    state.cycles = state.cycles + vocoder.source.passed(pitch[:, :dropped])
    if vocoder.source.phases == "frames":  # the others are rounded as they grow
        state.cycles %= 1
    state.mel, state.noise = mel[..., dropped:], noise[..., dropped * hop :]
    state.pitch = pitch[:, dropped : frames - held]
    spoken = made.shape[-1] - held * hop
    if spoken:  # else there is no older sound to come from
        state.tail = made[:, spoken : spoken + state.fade_frames * hop]
    before, state.spoken = state.spoken, state.spoken + spoken
    return vocoder.opened(made[:, :spoken], before)
