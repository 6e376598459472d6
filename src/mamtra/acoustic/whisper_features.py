"""Log-mel features in Whisper's form, which CosyVoice 2's speech tokenizer is given.

16 kHz, 128 bins, 100 frames a second; logarithm to base ten, everything more than 80 dB below the
clip's loudest point raised to that level, then shifted and scaled to about -1..1.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from mamtra.acoustic.mel import MelConfig, mel_filters

WHISPER = MelConfig(rate_hz=16_000, bins=128, n_fft=400, window=400, hop=160)
FLOOR = 1e-10  # smallest power whose logarithm is taken
RANGE = 8.0  # powers of ten kept below the loudest point


def whisper_log_mel(samples: Float[Tensor, "samples"]) -> Float[Tensor, "bins frames"]:
    """Features of a clip at 16 kHz, ``samples // 160`` frames."""
    config = WHISPER
    spectrum = torch.stft(
        samples.float(),
        config.n_fft,
        config.hop,
        window=torch.hann_window(config.window),
        return_complex=True,
    )
    power = spectrum[..., :-1].abs().square()
    level = (mel_filters(config) @ power).clamp(min=FLOOR).log10()
    return (level.maximum(level.max() - RANGE) + 4) / 4
