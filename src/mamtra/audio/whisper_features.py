"""Log-mel features in Whisper's form, which CosyVoice 2's speech tokenizer is given.

16 kHz, 128 bins, 100 frames a second; logarithm to base ten, everything more than 80 dB below the
clip's loudest point raised to that level, then shifted and scaled to about -1..1.
"""

import numpy as np
from jaxtyping import Float

from mamtra.audio.log_mel import MelConfig, mel_filters, spectrum_of

WHISPER = MelConfig(rate_hz=16_000, bins=128, n_fft=400, window=400, hop=160)
FLOOR = np.float32(1e-10)  # smallest power whose logarithm is taken
RANGE = 8.0  # powers of ten kept below the loudest point


def whisper_log_mel(samples: Float[np.ndarray, " samples"]) -> Float[np.ndarray, "bins frames"]:
    """Features of a clip at 16 kHz, ``samples // 160`` frames, float32."""
    config = WHISPER
    padded = np.pad(samples.astype(np.float32), config.n_fft // 2, "reflect")
    spectrum = spectrum_of(padded, config.n_fft, config.hop, config.window)
    power = np.abs(spectrum[:, :-1]) ** 2
    level = np.log10(np.maximum(mel_filters(config) @ power, FLOOR))
    return (np.maximum(level, level.max() - np.float32(RANGE)) + 4) / 4
