"""Pitch: a small network that reads it off mel features, and a tracker that measures it in audio.

The network is part of the vocoder. The tracker is only its teacher: it looks for the lag at which a
frame of audio agrees best with itself, after Boersma (1993), which is reliable for clean speech.
Pitch is in hertz, 0 where there is no voice.
"""

import math
from itertools import pairwise

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

VOICED_AGREEMENT = 0.5  # a frame that agrees with itself less than this is unvoiced
OCTAVE_COST = 0.02  # favours the shorter of two lags that agree equally well
SILENCE = 1e-3  # root mean square below which a frame is silent


class PitchPredictor(nn.Module):
    """Convolutions over mel frames, then one positive number a frame.

    Args:
        bins: mel bins.
        channels: width of the five convolutions.
        scale_hz: what an output of 1 means.
    """

    layers = 5

    def __init__(self, bins: int, channels: int, scale_hz: float) -> None:
        super().__init__()
        widths = [bins] + [channels] * self.layers
        self.convs = nn.ModuleList(
            nn.Conv1d(before, after, 3, padding=1) for before, after in pairwise(widths)
        )
        self.output = nn.Linear(channels, 1)
        self.scale_hz = scale_hz

    def forward(self, mel: Float[Tensor, "batch bins frames"]) -> Float[Tensor, "batch frames"]:
        """Pitch of every frame, in float32 whatever the weights' type."""
        hidden = mel.to(self.output.weight.dtype)
        for conv in self.convs:
            hidden = functional.elu(conv(hidden))
        hidden = rearrange(hidden, "b c t -> b t c").float()
        pitch = functional.linear(hidden, self.output.weight.float(), self.output.bias.float())
        return rearrange(pitch, "b t 1 -> b t").abs() * self.scale_hz


class NormedConv(nn.Module):
    """A convolution whose weight is a direction and a length, multiplied in the input's type."""

    def __init__(self, before: int, after: int, kernel: int) -> None:
        super().__init__()
        self.direction = nn.Parameter(torch.randn(after, before, kernel))
        self.length = nn.Parameter(torch.ones(after, 1, 1))
        self.bias = nn.Parameter(torch.zeros(after))

    def forward(
        self, hidden: Float[Tensor, "batch before time"]
    ) -> Float[Tensor, "batch after shorter"]:
        """No padding."""
        direction, length = self.direction.to(hidden.dtype), self.length.to(hidden.dtype)
        norm = torch.linalg.vector_norm(direction, dim=(1, 2), keepdim=True)
        weight = direction * (length / norm)
        return functional.conv1d(hidden, weight, self.bias.to(hidden.dtype))


class CausalPitchPredictor(nn.Module):
    """CosyVoice 3's pitch network: it looks three frames ahead, and computes in float64.

    Its weights stay normed, because a weight that was multiplied out in float32 moves the
    vocoder's samples by 1e-3.

    Args:
        bins: mel bins.
        channels: width of the five convolutions.
    """

    ahead = 3  # frames after this one that the first convolution sees

    def __init__(self, bins: int, channels: int) -> None:
        super().__init__()
        widths = [bins] + [channels] * PitchPredictor.layers
        self.convs = nn.ModuleList(
            NormedConv(before, after, 3 if number else self.ahead + 1)
            for number, (before, after) in enumerate(pairwise(widths))
        )
        self.output = nn.Linear(channels, 1)

    def forward(self, mel: Float[Tensor, "batch bins frames"]) -> Float[Tensor, "batch frames"]:
        """Pitch of every frame, computed in float64, given in float32; zeros lie beyond the end."""
        hidden = functional.pad(mel.double(), (0, self.ahead))
        for number, conv in enumerate(self.convs):
            hidden = functional.elu(conv(functional.pad(hidden, (2, 0)) if number else hidden))
        hidden = rearrange(hidden, "b c t -> b t c")
        pitch = functional.linear(hidden, self.output.weight.double(), self.output.bias.double())
        return rearrange(pitch, "b t 1 -> b t").abs().float()


def agreement_by_lag(
    frames: Float[Tensor, "batch frames samples"], longest: int
) -> Float[Tensor, "batch frames lags"]:
    """How well each frame agrees with itself moved by 0 to ``longest`` samples; 1 is perfect."""
    size = frames.shape[-1]
    window = torch.hann_window(size, device=frames.device)
    transform = 2 ** math.ceil(math.log2(size + longest + 1))

    def autocorrelation(signal: Tensor) -> Tensor:
        power = torch.fft.rfft(signal, transform).abs().square()
        lags = torch.fft.irfft(power, transform)[..., : longest + 1]
        return lags / lags[..., :1].clamp(min=1e-9)

    centred = frames - frames.mean(-1, keepdim=True)
    return autocorrelation(centred * window) / autocorrelation(window)


@torch.no_grad()
def track_pitch(
    samples: Float[Tensor, "batch samples"],
    rate_hz: int,
    hop: int,
    lowest_hz: float = 60.0,
    highest_hz: float = 420.0,
) -> Float[Tensor, "batch frames"]:
    """Measure the pitch of clean speech, one value for each ``hop`` samples, 0 where unvoiced."""
    shortest, longest = int(rate_hz / highest_hz), math.ceil(rate_hz / lowest_hz)
    size = 4 * longest
    left = (size - hop) // 2
    padded = functional.pad(samples, (left, size - hop - left))
    frames = padded.unfold(-1, size, hop)
    agreement = agreement_by_lag(frames, longest + 1)
    lags = torch.arange(longest + 2, device=samples.device)
    cost = OCTAVE_COST * torch.log2(lags.clamp(min=1) / shortest)
    inner = (agreement - cost)[..., shortest : longest + 1]
    best = inner.argmax(-1, keepdim=True) + shortest
    before, at, after = (agreement.gather(-1, best + move) for move in (-1, 0, 1))
    bend = (before - 2 * at + after).clamp(max=-1e-6)
    shift = ((before - after) / (2 * bend)).clamp(-0.5, 0.5)
    pitch = (rate_hz / (best + shift)).squeeze(-1)
    loud = frames.square().mean(-1).sqrt() > SILENCE
    voiced = (at.squeeze(-1) > VOICED_AGREEMENT) & loud
    padded = functional.pad((pitch * voiced)[:, None], (1, 1), "replicate")[:, 0]
    return padded.unfold(-1, 3, 1).median(-1).values  # of each frame and its neighbours
