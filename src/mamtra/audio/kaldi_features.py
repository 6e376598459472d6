"""Filter-bank features in Kaldi's form, which CosyVoice 2's speaker model is given.

25 ms frames every 10 ms, only whole ones; each loses its mean, is pre-emphasised and windowed
(Povey's window), and its power spectrum is summed over 80 triangles on Kaldi's mel scale. No
dither. At the end the mean over time is removed.
"""

import numpy as np
from jaxtyping import Float

from mamtra.audio.log_mel import frames_of, hann
from mamtra.errors import AudioError

RATE_HZ = 16_000
BINS = 80
FRAME, HOP, N_FFT = 400, 160, 512
LOWEST_HZ, HIGHEST_HZ = 20.0, RATE_HZ / 2
PREEMPHASIS = np.float32(0.97)
POVEY_POWER = 0.85  # of a Hann window
FLOOR = np.finfo(np.float32).eps  # smallest power whose logarithm is taken


def kaldi_mel(hz: np.ndarray) -> np.ndarray:
    """Kaldi's mel scale, logarithmic throughout."""
    return 1127 * np.log1p(hz / 700)


def kaldi_filters() -> Float[np.ndarray, "bins frequencies"]:
    """Triangles of height one, their sides straight on the mel scale, float32."""
    lowest, highest = kaldi_mel(np.array([LOWEST_HZ, HIGHEST_HZ]))
    step = (highest - lowest) / (BINS + 1)
    left = lowest + step * np.arange(BINS)[:, None]
    frequencies = np.arange(N_FFT // 2 + 1) * RATE_HZ / N_FFT
    corner = (kaldi_mel(frequencies) - left) / step  # 0 at the left, 1 at the top, 2 at the right
    return np.maximum(1 - np.abs(corner - 1), 0).astype(np.float32)


def kaldi_fbank(samples: Float[np.ndarray, " samples"]) -> Float[np.ndarray, "frames bins"]:
    """Log filter-bank features of a clip at 16 kHz, mean over time removed, float32.

    Raises:
        AudioError: the clip is shorter than one frame.
    """
    if len(samples) < FRAME:
        raise AudioError(
            f"{len(samples)} samples are less than one frame of {FRAME}; give a longer clip"
        )
    frames = frames_of(samples.astype(np.float32), FRAME, HOP)
    frames = frames - frames.mean(1, keepdims=True)
    before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    shaped = (frames - PREEMPHASIS * before) * hann(FRAME, POVEY_POWER, periodic=False)
    power = (np.abs(np.fft.rfft(shaped, N_FFT)) ** 2).astype(np.float32)
    features = np.log(np.maximum(power @ kaldi_filters().T, FLOOR))
    return features - features.mean(0, keepdims=True)
