"""The excitation of the vocoder: what the vocal folds and the breath would give, made from pitch.

Two forms. CosyVoice 2's is a bank of sines at the pitch and its harmonics, a little noise added
where there is voice and more where there is none, mixed into one signal by learned weights. nano's
is a train of pulses, which is all harmonics below half the rate at once, in closed form, beside a
signal of white noise. Everything here is float32 (phases float64).

Noise is drawn outside and passed in, so the same noise gives the same sound. CosyVoice 2's code
also draws a starting phase for each harmonic, but adds it to a sample that its own resampling then
drops, so it has no effect and is absent here.
"""

import math

import torch
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

SINE_AMPLITUDE = 0.1  # cosyvoice2.yaml: nsf_alpha
VOICED_NOISE = 0.003  # cosyvoice2.yaml: nsf_sigma
UNVOICED_NOISE = SINE_AMPLITUDE / 3


def cycles_at_samples(
    pitch: Float[Tensor, "batch frames"],
    rate_hz: int,
    hop: int,
    start: Float[Tensor, "batch"] | None = None,
) -> Float[Tensor, "batch samples"]:
    """How many periods have passed at each sample.

    The count grows by a frame's worth from the middle of one frame to the middle of the next and is
    linear between.

    Args:
        pitch: in hertz; frames of 0 stand still.
        rate_hz: samples a second.
        hop: samples a frame.
        start: periods that passed before the first frame.
    """
    middles = torch.cumsum(pitch.double() * hop / rate_hz, dim=-1)
    if start is not None:
        middles = middles + start[:, None]
    return functional.interpolate(middles[:, None], scale_factor=hop, mode="linear")[:, 0]


def pulse_train(
    cycles: Float[Tensor, "batch samples"], harmonics: Float[Tensor, "batch samples"]
) -> Float[Tensor, "batch samples"]:
    """The sum of the first so many harmonics, all cosines, scaled to a power of 1."""
    half = (math.pi * (cycles - cycles.round())).float()
    below = half.sin()
    peak = below.abs() < 1e-4
    ratio = ((2 * harmonics + 1) * half).sin() / torch.where(peak, 1.0, below)
    total = torch.where(peak, harmonics, (ratio - 1) / 2)
    return total * (2 / harmonics).sqrt()


class HarmonicSource(nn.Module):
    """Pitch and noise in, excitation out.

    Args:
        rate_hz: samples a second.
        hop: samples a frame of pitch.
        overtones: harmonics above the pitch itself; 0 makes pulses and a branch of noise instead.
        voiced_above_hz: a frame with a lower pitch has no voice.
    """

    def __init__(self, rate_hz: int, hop: int, overtones: int, voiced_above_hz: float) -> None:
        super().__init__()
        self.rate_hz, self.hop = rate_hz, hop
        self.overtones, self.voiced_above_hz = overtones, voiced_above_hz
        self.mix = nn.Linear(overtones + 1, 1) if overtones else None

    @property
    def noises(self) -> int:
        """Independent noise signals that are needed."""
        return self.overtones + 1

    def forward(
        self,
        pitch: Float[Tensor, "batch frames"],
        noise: Float[Tensor, "batch noises samples"],
        start: Float[Tensor, "batch"] | None = None,
    ) -> Float[Tensor, "batch branches samples"]:
        """One branch of mixed sines, or two: pulses and noise."""
        pitch = pitch.detach()
        cycles = cycles_at_samples(pitch, self.rate_hz, self.hop, start)
        held = repeat(pitch, "b t -> b (t hop)", hop=self.hop)
        voiced = (held > self.voiced_above_hz).float()
        if self.mix is None:
            harmonics = (self.rate_hz / 2 / held.clamp(min=self.voiced_above_hz)).floor()
            pulses = pulse_train(cycles, harmonics) * voiced
            return SINE_AMPLITUDE * torch.cat([pulses[:, None], noise], dim=1)
        numbers = torch.arange(1, self.noises + 1, device=pitch.device)
        turns = rearrange(cycles, "b s -> b 1 s") * rearrange(numbers, "n -> n 1")
        sines = (2 * math.pi * (turns - turns.floor())).float().sin()
        voiced = voiced[:, None]
        level = voiced * VOICED_NOISE + (1 - voiced) * UNVOICED_NOISE
        waves = SINE_AMPLITUDE * sines * voiced + level * noise
        mixed = functional.linear(
            rearrange(waves, "b n s -> b s n"), self.mix.weight.float(), self.mix.bias.float()
        )
        return rearrange(mixed.tanh(), "b s 1 -> b 1 s")
