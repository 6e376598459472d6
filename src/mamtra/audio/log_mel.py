"""Log-mel features of a clip in numpy, in the form CosyVoice 2 uses, for any rate and hop.

Slaney's mel scale and normalisation, reflect padding of half a window less half a hop, so that a
clip of n hops gives exactly n frames, and a natural logarithm clamped at 1e-5. Source of the form:
cosyvoice2.yaml and its mel function. ``acoustic/mel.py`` is the same as a torch module, for
training; a test holds them together.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float

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


def mel_filters(config: MelConfig) -> Float[np.ndarray, "bins frequencies"]:
    """Triangular filters of equal area over the bins of a Fourier transform, float32."""
    frequencies = np.linspace(0, config.rate_hz / 2, config.n_fft // 2 + 1)
    ends = hz_to_mel(np.array([config.fmin_hz, config.fmax_hz]))
    corners = mel_to_hz(np.linspace(ends[0], ends[1], config.bins + 2))
    widths = np.diff(corners)
    slopes = corners[:, None] - frequencies[None, :]
    rising = -slopes[:-2] / widths[:-1, None]
    falling = slopes[2:] / widths[1:, None]
    area = 2 / (corners[2:] - corners[:-2])
    filters = np.maximum(0, np.minimum(rising, falling)) * area[:, None]
    return filters.astype(np.float32)


def hann(length: int, power: float = 1.0, periodic: bool = True) -> Float[np.ndarray, " length"]:
    """Hann's window, raised to a power (0.85 makes Povey's)."""
    turns = np.arange(length) / (length if periodic else length - 1)
    return ((0.5 - 0.5 * np.cos(2 * np.pi * turns)) ** power).astype(np.float32)


def frames_of(
    samples: Float[np.ndarray, " samples"], length: int, hop: int
) -> Float[np.ndarray, "frames length"]:
    """Overlapping frames, only whole ones; a view."""
    return np.lib.stride_tricks.sliding_window_view(samples, length)[::hop]


def spectrum_of(
    samples: Float[np.ndarray, " samples"], n_fft: int, hop: int, window: int
) -> Complex[np.ndarray, "frequencies frames"]:
    """Short-time Fourier transform of frames that lie wholly inside the samples.

    A window shorter than the transform stands in the middle of it.
    """
    shape = np.zeros(n_fft, np.float32)
    start = (n_fft - window) // 2
    shape[start : start + window] = hann(window)
    return np.fft.rfft(frames_of(samples, n_fft, hop) * shape).T.astype(np.complex64)


def log_mel(
    samples: Float[np.ndarray, " samples"], config: MelConfig
) -> Float[np.ndarray, "bins frames"]:
    """Natural logarithm of mel magnitudes; ``samples // hop`` frames, float32."""
    margin = (config.n_fft - config.hop) // 2
    padded = np.pad(samples.astype(np.float32), margin, "reflect")
    spectrum = spectrum_of(padded, config.n_fft, config.hop, config.window)
    magnitude = np.sqrt(np.real(spectrum) ** 2 + np.imag(spectrum) ** 2 + np.float32(POWER_GUARD))
    return np.log(np.maximum(mel_filters(config) @ magnitude, np.float32(FLOOR)))
