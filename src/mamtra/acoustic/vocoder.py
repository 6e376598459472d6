"""The vocoder: mel features in, samples out.

Pitch is read off the mel features and made into an excitation; a convolutional trunk raises the mel
features to a higher frame rate, sees the excitation at every stage, and says what the short-time
spectrum is; an inverse transform gives samples. The form is HiFTNet's as CosyVoice 2 uses it. The
last step has two variants:

    spectrum   the trunk names magnitude and phase (CosyVoice 2: 6,000 short frames a second)
    filter     the trunk names how pulses and noise are to be filtered, the phase of pulses freely,
               where the other head stays within a radian (nano: 250 frames a second)

CosyVoice 3's trunk is causal (``VocoderConfig.causal``); Chatterbox has an excitation of its own
and fades every utterance in (``sampled_phases``, ``opening_frames``).

Types: excitation, spectra and samples are float32; the trunk computes in the type of its weights.
"""

import math
from itertools import pairwise
from typing import cast

import torch
from einops import rearrange
from jaxtyping import Complex, Float
from torch import Tensor, nn
from torch.nn import functional

from mamtra.acoustic.config import VocoderConfig
from mamtra.acoustic.pitch import CausalPitchPredictor, PitchPredictor
from mamtra.acoustic.residual import ResidualBlock
from mamtra.acoustic.source import HarmonicSource

LOUDEST = 0.99  # cosyvoice2.yaml: audio_limit
LEAK = 0.1  # cosyvoice2.yaml: lrelu_slope
LAST_LEAK = 0.01  # the original leaves the last activation at torch's own slope
LARGEST_LOG = math.log(100.0)  # of a magnitude
FRAMES_AHEAD = 4  # that the first convolution of a causal vocoder sees after this one
FIRST_GAIN = -1.0  # where the logarithm of nano's filters starts: about as loud as speech


class RepeatingUpsampler(nn.Conv1d):
    """Each sample several times, then a convolution over this one and those before."""

    def __init__(self, before: int, after: int, rate: int, kernel: int) -> None:
        super().__init__(before, after, kernel)
        self.rate = rate

    def forward(
        self,
        input: Float[Tensor, "batch before time"],  # noqa: A002
    ) -> Float[Tensor, "batch after longer"]:
        """Never looks ahead."""
        wide = input.repeat_interleave(self.rate, dim=-1)
        return super().forward(functional.pad(wide, (self.kernel_size[0] - 1, 0)))


def upsampler(before: int, after: int, rate: int, kernel: int, causal: bool) -> nn.Module:
    """What raises the frame rate at one stage."""
    if causal:
        return RepeatingUpsampler(before, after, rate, kernel)
    return nn.ConvTranspose1d(before, after, kernel, rate, padding=(kernel - rate) // 2)


class Vocoder(nn.Module):
    """HiFTNet in the size that the config says."""

    def __init__(self, config: VocoderConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.channels // 2**stage for stage in range(len(config.upsample_rates) + 1)]
        self.pitch = (
            CausalPitchPredictor(config.bins, config.pitch_channels)
            if config.causal
            else PitchPredictor(config.bins, config.pitch_channels, config.pitch_scale_hz)
        )
        self.source = HarmonicSource(
            config.rate_hz,
            config.mel_hop,
            config.overtones,
            config.voiced_above_hz,
            "samples" if config.sampled_phases else "stairs" if config.causal else "frames",
        )
        self.conv_in = (
            nn.Conv1d(config.bins, widths[0], FRAMES_AHEAD + 1)
            if config.causal
            else nn.Conv1d(config.bins, widths[0], 7, padding=3)
        )
        self.upsamplers = nn.ModuleList(
            upsampler(before, after, rate, kernel, config.causal)
            for (before, after), rate, kernel in zip(
                pairwise(widths), config.upsample_rates, config.upsample_kernels, strict=True
            )
        )
        strides = [
            math.prod(config.upsample_rates[stage + 1 :]) for stage in range(len(widths) - 1)
        ]
        self.source_downs = nn.ModuleList(
            nn.Conv1d(
                2 * config.frequencies,
                width,
                2 * stride if stride > 1 else 1,
                stride,
                padding=stride // 2 if stride > 1 and not config.causal else 0,
            )
            for width, stride in zip(widths[1:], strides, strict=True)
        )
        self.source_blocks = nn.ModuleList(
            ResidualBlock(width, kernel, config.dilations, config.causal)
            for width, kernel in zip(widths[1:], config.source_kernels, strict=True)
        )
        self.blocks = nn.ModuleList(
            ResidualBlock(width, kernel, config.dilations, config.causal)
            for width in widths[1:]
            for kernel in config.block_kernels
        )
        parts = 2 if config.head == "spectrum" else 3
        self.conv_out = nn.Conv1d(widths[-1], parts * config.frequencies, 7)
        self.out_padding = (6, 0) if config.causal else (3, 3)
        if config.head == "filter" and self.conv_out.bias is not None:
            nn.init.constant_(self.conv_out.bias[: 2 * config.frequencies], FIRST_GAIN)

    def draw_noise(
        self, batch: int, frames: int, generator: torch.Generator
    ) -> Float[Tensor, "batch noises samples"]:
        """Noise for so many mel frames, from a generator of the caller's."""
        shape = (batch, self.config.noises, frames * self.config.mel_hop)
        draw = torch.rand if self.config.causal else torch.randn
        noise = draw(shape, generator=generator, device=generator.device)
        return noise.to(self.conv_out.weight.device)

    def normalized(
        self, mel: Float[Tensor, "batch bins frames"]
    ) -> Float[Tensor, "batch bins frames"]:
        """Mel features as the networks see them."""
        return (mel - self.config.mel_mean) * self.config.mel_scale

    def predict_pitch(
        self, mel: Float[Tensor, "batch bins frames"]
    ) -> Float[Tensor, "batch frames"]:
        """Pitch in hertz of every mel frame."""
        return self.pitch(self.normalized(mel))

    def spectrum(
        self, signal: Float[Tensor, "batch branches samples"]
    ) -> Complex[Tensor, "batch branches frequencies time"]:
        """Short-time spectra; one frame more than there are hops."""
        config = self.config
        found = torch.stft(
            rearrange(signal, "b n s -> (b n) s"),
            config.n_fft,
            config.hop,
            window=torch.hann_window(config.n_fft, device=signal.device),
            return_complex=True,
        )
        return rearrange(found, "(b n) f t -> b n f t", n=signal.shape[1])

    def trunk(
        self,
        mel: Float[Tensor, "batch bins frames"],
        source: Float[Tensor, "batch parts time"],
    ) -> Float[Tensor, "batch channels time"]:
        """Raise mel features to the spectrum's frame rate, with the excitation in view."""
        kernels, last = len(self.config.block_kernels), len(self.upsamplers) - 1
        causal = self.config.causal
        hidden = self.conv_in(functional.pad(mel, (0, FRAMES_AHEAD)) if causal else mel)
        for stage, upsampler in enumerate(self.upsamplers):
            hidden = upsampler(functional.leaky_relu(hidden, LEAK))
            if stage == last:
                hidden = functional.pad(hidden, (1, 0), "reflect")
            down = cast(nn.Conv1d, self.source_downs[stage])
            seen = functional.pad(source, (down.stride[0] - 1, 0)) if causal else source
            hidden = hidden + self.source_blocks[stage](down(seen))
            blocks = self.blocks[stage * kernels : (stage + 1) * kernels]
            hidden = torch.stack([block(hidden) for block in blocks]).sum(0) / kernels
        return functional.leaky_relu(hidden, LAST_LEAK)

    def decode(
        self,
        mel: Float[Tensor, "batch bins frames"],
        source: Float[Tensor, "batch branches samples"],
    ) -> Float[Tensor, "batch samples"]:
        """Samples from mel features and their excitation."""
        spectra = self.spectrum(source)
        seen = torch.cat([spectra[:, 0].real, spectra[:, 0].imag], dim=1)
        dtype, bias = self.conv_out.weight.dtype, self.conv_out.bias
        assert bias is not None
        hidden = self.trunk(self.normalized(mel).to(dtype), seen.to(dtype)).float()
        hidden = functional.pad(hidden, self.out_padding)
        out = functional.conv1d(hidden, self.conv_out.weight.float(), bias.float())
        parts = rearrange(out, "b (p f) t -> p b f t", f=self.config.frequencies)
        magnitudes, phase = parts[:-1].clamp(max=LARGEST_LOG).exp(), parts[-1]
        if self.config.head == "spectrum":  # the original's stay within a radian
            phase = phase.sin()
        turn = torch.polar(torch.ones_like(phase), phase)
        match self.config.head:
            case "spectrum":
                wanted = magnitudes[0] * turn
            case "filter":
                wanted = spectra[:, 0] * magnitudes[0] * turn + spectra[:, 1] * magnitudes[1]
        window = torch.hann_window(self.config.n_fft, device=wanted.device)
        samples = torch.istft(wanted, self.config.n_fft, self.config.hop, window=window)
        # a clamped sample has no gradient, so training sees it as it is
        return samples if self.training else samples.clamp(-LOUDEST, LOUDEST)

    def opened(
        self, samples: Float[Tensor, "batch samples"], before: int = 0
    ) -> Float[Tensor, "batch samples"]:
        """Samples with the silence and the fade at the start of an utterance.

        Args:
            samples: from ``decode``.
            before: samples of the utterance that lie before these.
        """
        length = self.config.opening_frames * self.config.mel_hop
        if before >= 2 * length:
            return samples
        rising = (torch.linspace(math.pi, 0, length, device=samples.device).cos() + 1) / 2
        gain = torch.cat([torch.zeros_like(rising), rising])[before : before + samples.shape[1]]
        return torch.cat([samples[:, : len(gain)] * gain, samples[:, len(gain) :]], 1)

    def forward(
        self,
        mel: Float[Tensor, "batch bins frames"],
        noise: Float[Tensor, "batch noises samples"] | None = None,
        pitch: Float[Tensor, "batch frames"] | None = None,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "batch samples"]:
        """Speak mel features.

        Args:
            mel: natural logarithm of mel magnitudes.
            noise: from ``draw_noise``; drawn with ``generator`` if absent.
            pitch: in hertz; predicted if absent.
            generator: a generator with seed 0 if absent.
        """
        if pitch is None:
            pitch = self.predict_pitch(mel)
        if noise is None:
            generator = generator or torch.Generator().manual_seed(0)
            noise = self.draw_noise(mel.shape[0], mel.shape[-1], generator)
        return self.opened(self.decode(mel, self.source(pitch, noise)))
