"""Filter-bank features in Kaldi's form, which CosyVoice 2's speaker model is given.

25 ms frames every 10 ms, only whole ones; each loses its mean, is pre-emphasised and windowed
(Povey's window), and its power spectrum is summed over 80 triangles on Kaldi's mel scale. No
dither. At the end the mean over time is removed.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from mamtra.errors import AudioError

RATE_HZ = 16_000
BINS = 80
FRAME, HOP, N_FFT = 400, 160, 512
LOWEST_HZ, HIGHEST_HZ = 20.0, RATE_HZ / 2
PREEMPHASIS = 0.97
POVEY_POWER = 0.85  # of a Hann window
FLOOR = torch.finfo(torch.float32).eps  # smallest power whose logarithm is taken


def kaldi_mel(hz: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Kaldi's mel scale, logarithmic throughout."""
    return 1127 * torch.log1p(hz / 700)


def kaldi_filters() -> Float[Tensor, "bins frequencies"]:
    """Triangles of height one, their sides straight on the mel scale."""
    ends = kaldi_mel(torch.tensor([LOWEST_HZ, HIGHEST_HZ], dtype=torch.float64))
    step = (ends[1] - ends[0]) / (BINS + 1)
    left = ends[0] + step * torch.arange(BINS, dtype=torch.float64)[:, None]
    frequencies = torch.arange(N_FFT // 2 + 1, dtype=torch.float64) * RATE_HZ / N_FFT
    place = (
        kaldi_mel(frequencies) - left
    ) / step  # 0 at the left corner, 1 at the top, 2 at the right
    return (1 - (place - 1).abs()).clamp(min=0).float()


def kaldi_fbank(samples: Float[Tensor, "samples"]) -> Float[Tensor, "frames bins"]:
    """Log filter-bank features of a clip at 16 kHz, mean over time removed.

    Raises:
        AudioError: the clip is shorter than one frame.
    """
    if len(samples) < FRAME:
        raise AudioError(
            f"{len(samples)} samples are less than one frame of {FRAME}; give a longer clip"
        )
    frames = samples.float().unfold(0, FRAME, HOP)
    frames = frames - frames.mean(1, keepdim=True)
    before = torch.cat([frames[:, :1], frames[:, :-1]], dim=1)
    window = torch.hann_window(FRAME, periodic=False).pow(POVEY_POWER)
    shaped = (frames - PREEMPHASIS * before) * window
    power = torch.fft.rfft(pad(shaped, (0, N_FFT - FRAME))).abs().square()
    features = (power @ kaldi_filters().T).clamp(min=FLOOR).log()
    return features - features.mean(0, keepdim=True)
