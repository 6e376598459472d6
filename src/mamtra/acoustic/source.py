"""The excitation of the vocoder: what the vocal folds and the breath would give, made from pitch.

Two forms. CosyVoice's is a bank of sines at the pitch and its harmonics, a little noise added
where there is voice and more where there is none, mixed into one signal by learned weights. nano's
is a train of pulses, which is all harmonics below half the rate at once, in closed form, beside a
signal of white noise. Everything here is float32 (phases float64).

The phases of the sines grow in one of three ways:

    frames     from the middle of one frame to the middle of the next (CosyVoice 2)
    stairs     from frame to frame, still within each (CosyVoice 3)
    samples    from sample to sample, each overtone from a random phase on (Chatterbox)

Noise is drawn outside and passed in, so the same noise gives the same sound. CosyVoice 2's code
also draws a starting phase for each harmonic, but adds it to a sample that its own resampling then
drops, so it has no effect and is absent here.
"""

import math
from typing import Literal

import torch
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

SINE_AMPLITUDE = 0.1  # cosyvoice2.yaml: nsf_alpha
VOICED_NOISE = 0.003  # cosyvoice2.yaml: nsf_sigma
UNVOICED_NOISE = SINE_AMPLITUDE / 3
Phases = Literal["frames", "stairs", "samples"]


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
    """The sum of the first so many harmonics, all cosines, scaled to a power of 1.

    Where none lies below half the rate, since the pitch itself is above it, there is silence.
    """
    half = (math.pi * (cycles - cycles.round())).float()
    below = half.sin()
    peak = below.abs() < 1e-4
    ratio = ((2 * harmonics + 1) * half).sin() / torch.where(peak, 1.0, below)
    total = torch.where(peak, harmonics, (ratio - 1) / 2)
    return total * (2 / harmonics.clamp(min=1)).sqrt()


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


def sampled_sines(
    pitch: Float[Tensor, "batch frames"],
    harmonics: int,
    rate_hz: int,
    hop: int,
    start: Float[Tensor, "batch 2 harmonics"],
) -> Float[Tensor, "batch harmonics samples"]:
    """Sines whose phase grows at every sample, each from a phase of its own.

    The turns so far are rounded to float32 before whole ones are taken off, as Chatterbox does it,
    since a thousand turns later that moves the samples by 1e-4 of their size.

    Args:
        pitch: in hertz; frames of 0 stand still.
        harmonics: the pitch and its overtones.
        rate_hz: samples a second.
        hop: samples a frame.
        start: turns that passed before the first frame, and radians at the very beginning.
    """
    turns = turns_of(pitch, harmonics, rate_hz)
    passed, first = start.unbind(1)
    before = torch.cumsum(turns * hop, -1) - turns * hop + passed[..., None]
    inside = torch.arange(1, hop + 1, device=pitch.device)
    total = rearrange(before[..., None] + turns[..., None] * inside, "b n t hop -> b n (t hop)")
    return (2 * math.pi * (total.float() % 1) + first.float()[..., None]).sin()


def random_phases(
    noise: Float[Tensor, "batch samples"], overtones: int
) -> Float[Tensor, "batch harmonics"]:
    """Where each harmonic begins, in radians: the pitch at 0, an overtone anywhere in (-pi, pi).

    Args:
        noise: standard normal; the first samples are read, one an overtone.
        overtones: harmonics above the pitch.
    """
    drawn = math.pi * torch.erf(noise[:, :overtones].double() / math.sqrt(2))
    return functional.pad(drawn, (1, 0))


class HarmonicSource(nn.Module):
    """Pitch and noise in, excitation out.

    Args:
        rate_hz: samples a second.
        hop: samples a frame of pitch.
        overtones: harmonics above the pitch itself; 0 makes pulses and a branch of noise instead.
        voiced_above_hz: a frame with a lower pitch has no voice.
        phases: how those of the sines grow.
    """

    def __init__(
        self,
        rate_hz: int,
        hop: int,
        overtones: int,
        voiced_above_hz: float,
        phases: Phases = "frames",
    ) -> None:
        super().__init__()
        self.phases: Phases = phases
        self.rate_hz, self.hop = rate_hz, hop
        self.overtones, self.voiced_above_hz = overtones, voiced_above_hz
        self.mix = nn.Linear(overtones + 1, 1) if overtones else None

    @property
    def harmonics(self) -> int:
        """The pitch and its overtones."""
        return self.overtones + 1

    @property
    def counters(self) -> int:
        """Numbers that tell how far the phases have come."""
        return {"frames": 1, "stairs": self.harmonics, "samples": 2 * self.harmonics}[self.phases]

    def start(
        self, noise: Float[Tensor, "batch noises samples"]
    ) -> Float[Tensor, "batch counters"]:
        """The counters before the first frame of an utterance, float64."""
        still = noise.new_zeros(noise.shape[0], self.counters, dtype=torch.float64)
        if self.phases == "samples":
            still[:, self.harmonics :] = random_phases(noise[:, -1], self.overtones)
        return still

    def passed(self, pitch: Float[Tensor, "batch frames"]) -> Float[Tensor, "batch counters"]:
        """How far these frames move the phases, float64."""
        match self.phases:
            case "frames":
                return (pitch.double().sum(-1) * self.hop / self.rate_hz)[:, None]
            case "stairs":
                return turns_of(pitch, self.harmonics, self.rate_hz).sum(-1)
            case "samples":
                turns = turns_of(pitch, self.harmonics, self.rate_hz).sum(-1) * self.hop
                return functional.pad(turns, (0, self.harmonics))

    def sines(
        self, pitch: Float[Tensor, "batch frames"], start: Float[Tensor, "batch counters"]
    ) -> Float[Tensor, "batch harmonics samples"]:
        """The pitch and its overtones as sines of height 1."""
        match self.phases:
            case "frames":
                cycles = cycles_at_samples(pitch, self.rate_hz, self.hop, start)
                numbers = torch.arange(1, self.harmonics + 1, device=pitch.device)
                turns = rearrange(cycles, "b s -> b 1 s") * rearrange(numbers, "n -> n 1")
                return (2 * math.pi * (turns - turns.floor())).float().sin()
            case "stairs":
                return stair_sines(pitch, self.harmonics, self.rate_hz, self.hop, start)
            case "samples":
                both = rearrange(start, "b (two n) -> b two n", two=2)
                return sampled_sines(pitch, self.harmonics, self.rate_hz, self.hop, both)

    def forward(
        self,
        pitch: Float[Tensor, "batch frames"],
        noise: Float[Tensor, "batch noises samples"],
        start: Float[Tensor, "batch counters"] | None = None,
    ) -> Float[Tensor, "batch branches samples"]:
        """One branch of mixed sines, or two: pulses and noise.

        Args:
            pitch: in hertz, one value a frame.
            noise: one value a sample.
            start: the counters before the first frame; those of a beginning if left.
        """
        pitch = pitch.detach()
        start = self.start(noise) if start is None else start
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
        waves = SINE_AMPLITUDE * sines * voiced + level * noise[:, : self.harmonics]
        mixed = functional.linear(
            rearrange(waves, "b n s -> b s n"), self.mix.weight.float(), self.mix.bias.float()
        )
        return rearrange(mixed.tanh(), "b s 1 -> b 1 s")
