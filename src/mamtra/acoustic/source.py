"""The excitation of the vocoder: what the vocal folds and the breath would give, made from pitch.

Two forms. CosyVoice's is a bank of sines at the pitch and its harmonics, a little noise added
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
    start: Float[Tensor, "batch 1"] | None = None,
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
        middles = middles + start
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


def turns_of(
    pitch: Float[Tensor, "batch frames"], harmonics: int, rate_hz: int
) -> Float[Tensor, "batch harmonics frames"]:
    """Turns of each harmonic within one sample of each frame: rounded to float32, then float64."""
    numbers = torch.arange(1, harmonics + 1, device=pitch.device)
    return (pitch[:, None] * numbers[:, None] / rate_hz % 1).double()


def stair_sines(
    pitch: Float[Tensor, "batch frames"],
    harmonics: int,
    rate_hz: int,
    hop: int,
    start: Float[Tensor, "batch harmonics"] | None = None,
) -> Float[Tensor, "batch harmonics samples"]:
    """Sines whose phase stands still within each frame, as CosyVoice 3's were trained.

    Its phases are float32 radians that grow without end; they are rounded likewise here, since that
    is what the samples are made of.
    """
    total = torch.cumsum(turns_of(pitch, harmonics, rate_hz), -1)
    if start is not None:
        total = total + start[..., None]
    phase = total.float() * 2 * math.pi * hop
    return repeat(phase.sin(), "b n t -> b n (t hop)", hop=hop)


class HarmonicSource(nn.Module):
    """Pitch and noise in, excitation out.

    Args:
        rate_hz: samples a second.
        hop: samples a frame of pitch.
        overtones: harmonics above the pitch itself; 0 makes pulses and a branch of noise instead.
        voiced_above_hz: a frame with a lower pitch has no voice.
        stairs: phases stand still within a frame.
    """

    def __init__(
        self,
        rate_hz: int,
        hop: int,
        overtones: int,
        voiced_above_hz: float,
        stairs: bool = False,
    ) -> None:
        super().__init__()
        self.stairs = stairs
        self.rate_hz, self.hop = rate_hz, hop
        self.overtones, self.voiced_above_hz = overtones, voiced_above_hz
        self.mix = nn.Linear(overtones + 1, 1) if overtones else None

    @property
    def noises(self) -> int:
        """Independent noise signals that are needed."""
        return self.overtones + 1

    @property
    def counters(self) -> int:
        """Numbers that tell how far the phases have come."""
        return self.noises if self.stairs else 1

    def passed(self, pitch: Float[Tensor, "batch frames"]) -> Float[Tensor, "batch counters"]:
        """How far these frames move the phases, float64."""
        if self.stairs:
            return turns_of(pitch, self.noises, self.rate_hz).sum(-1)
        return (pitch.double().sum(-1) * self.hop / self.rate_hz)[:, None]

    def sines(
        self, pitch: Float[Tensor, "batch frames"], start: Float[Tensor, "batch counters"] | None
    ) -> Float[Tensor, "batch harmonics samples"]:
        """The pitch and its overtones as sines of height 1."""
        if self.stairs:
            return stair_sines(pitch, self.noises, self.rate_hz, self.hop, start)
        cycles = cycles_at_samples(pitch, self.rate_hz, self.hop, start)
        numbers = torch.arange(1, self.noises + 1, device=pitch.device)
        turns = rearrange(cycles, "b s -> b 1 s") * rearrange(numbers, "n -> n 1")
        return (2 * math.pi * (turns - turns.floor())).float().sin()

    def forward(
        self,
        pitch: Float[Tensor, "batch frames"],
        noise: Float[Tensor, "batch noises samples"],
        start: Float[Tensor, "batch counters"] | None = None,
    ) -> Float[Tensor, "batch branches samples"]:
        """One branch of mixed sines, or two: pulses and noise."""
        pitch = pitch.detach()
        held = repeat(pitch, "b t -> b (t hop)", hop=self.hop)
        voiced = (held > self.voiced_above_hz).float()
        if self.mix is None:
            cycles = cycles_at_samples(pitch, self.rate_hz, self.hop, start)
            harmonics = (self.rate_hz / 2 / held.clamp(min=self.voiced_above_hz)).floor()
            pulses = pulse_train(cycles, harmonics) * voiced
            return SINE_AMPLITUDE * torch.cat([pulses[:, None], noise], dim=1)
        sines = self.sines(pitch, start)
        voiced = voiced[:, None]
        level = voiced * VOICED_NOISE + (1 - voiced) * UNVOICED_NOISE
        waves = SINE_AMPLITUDE * sines * voiced + level * noise
        mixed = functional.linear(
            rearrange(waves, "b n s -> b s n"), self.mix.weight.float(), self.mix.bias.float()
        )
        return rearrange(mixed.tanh(), "b s 1 -> b 1 s")
