"""Log-mel features in the form CosyVoice 2 uses, for any rate and hop.

Slaney's mel scale and normalisation, reflect padding of half a window less half a hop, so that a
clip of n hops gives exactly n frames, and a natural logarithm clamped at 1e-5. Source of the form:
cosyvoice2.yaml and its mel function.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from mamtra.errors import ConfigError

LINEAR_HZ_PER_MEL = 200 / 3  # Slaney's scale: linear below 1 kHz ...
BREAK_HZ = 1000.0
LOG_STEP = np.log(6.4) / 27  # ... and logarithmic above
FLOOR = 1e-5  # smallest magnitude whose logarithm is taken
POWER_GUARD = 1e-9  # keeps the square root's gradient finite


@dataclass(frozen=True, slots=True, kw_only=True)
class MelConfig:
    """Sizes of the mel features; defaults are CosyVoice 2's, ``nano`` uses 16 kHz and a hop of
    320.
    """

    rate_hz: int = 24_000
    bins: int = 80
    n_fft: int = 1920
    window: int = 1920
    hop: int = 480
    fmin_hz: float = 0.0
    fmax_hz: float = 8000.0

    def __post_init__(self) -> None:
        if not 0 <= self.fmin_hz < self.fmax_hz <= self.rate_hz / 2:
            raise ConfigError(
                f"fmin_hz={self.fmin_hz} and fmax_hz={self.fmax_hz} must lie in order "
                f"between 0 and half the rate, {self.rate_hz / 2}"
            )
        if self.window > self.n_fft:
            raise ConfigError(f"window={self.window} is longer than n_fft={self.n_fft}")


def hz_to_mel(hz: np.ndarray) -> np.ndarray:
    """Slaney's mel scale."""
    above = BREAK_HZ / LINEAR_HZ_PER_MEL + np.log(np.maximum(hz, BREAK_HZ) / BREAK_HZ) / LOG_STEP
    return np.where(hz < BREAK_HZ, hz / LINEAR_HZ_PER_MEL, above)


def mel_to_hz(mel: np.ndarray) -> np.ndarray:
    """The inverse of ``hz_to_mel``."""
    knee = BREAK_HZ / LINEAR_HZ_PER_MEL
    above = BREAK_HZ * np.exp(LOG_STEP * (np.maximum(mel, knee) - knee))
    return np.where(mel < knee, mel * LINEAR_HZ_PER_MEL, above)


def mel_filters(config: MelConfig) -> Float[Tensor, "bins frequencies"]:
    """Triangular filters of equal area over the bins of a Fourier transform."""
    frequencies = np.linspace(0, config.rate_hz / 2, config.n_fft // 2 + 1)
    ends = hz_to_mel(np.array([config.fmin_hz, config.fmax_hz]))
    corners = mel_to_hz(np.linspace(ends[0], ends[1], config.bins + 2))
    widths = np.diff(corners)
    slopes = corners[:, None] - frequencies[None, :]
    rising = -slopes[:-2] / widths[:-1, None]
    falling = slopes[2:] / widths[1:, None]
    area = 2 / (corners[2:] - corners[:-2])
    filters = np.maximum(0, np.minimum(rising, falling)) * area[:, None]
    return torch.from_numpy(filters).float()


class LogMel(nn.Module):
    """Log-mel features of a clip; has no weights to learn."""

    filters: Tensor
    hann: Tensor

    def __init__(self, config: MelConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("filters", mel_filters(config), persistent=False)
        self.register_buffer("hann", torch.hann_window(config.window), persistent=False)

    def forward(
        self, samples: Float[Tensor, "batch samples"]
    ) -> Float[Tensor, "batch bins frames"]:
        """Natural logarithm of mel magnitudes; ``samples // hop`` frames."""
        config = self.config
        margin = (config.n_fft - config.hop) // 2
        padded = nn.functional.pad(samples.float()[:, None], (margin, margin), "reflect")[:, 0]
        spectrum = torch.stft(
            padded,
            config.n_fft,
            config.hop,
            config.window,
            self.hann,
            center=False,
            return_complex=True,
        )
        magnitude = (spectrum.real.square() + spectrum.imag.square() + POWER_GUARD).sqrt()
        return (self.filters @ magnitude).clamp(min=FLOOR).log()
