"""How loud each frequency of a clip is at each time, as numbers and as a small picture."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from mamtra.atomic import written_beside
from mamtra.audio.clip import Audio
from mamtra.errors import AudioError, require
from mamtra.evaluation.word_errors import EXTRA

RATE_HZ = 16_000
WINDOW = 512  # 32 ms: the harmonics of a voice can be seen
HOP = 80  # 5 ms
FLOOR_DB = -80.0
THUMB_ROWS, THUMB_COLUMNS = 2, 4  # of how many one is kept in a small picture


def decibels(audio: Audio) -> Float[np.ndarray, "frequencies frames"]:
    """How loud each frequency is at each time, 0 dB being the loudest of the clip."""
    samples = np.nan_to_num(audio.at(RATE_HZ).samples)
    padded = np.pad(samples, WINDOW // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(WINDOW), axis=-1)).T ** 2
    loudest = max(float(power.max()), np.finfo(float).tiny)
    return np.maximum(10 * np.log10(power / loudest + 10 ** (FLOOR_DB / 10)), FLOOR_DB)


def write_thumbnail(audio: Audio, path: Path) -> None:
    """Draw a clip small, without axes: 20 ms a column, 0 to 8 kHz from below.

    Raises:
        AudioError: the picture cannot be written.
        MissingExtraError: matplotlib is not installed.
    """
    image = require("matplotlib.image", EXTRA)
    picture = decibels(audio)[::THUMB_ROWS, ::THUMB_COLUMNS]
    with written_beside(path, AudioError) as beside:
        image.imsave(
            beside,
            picture,
            origin="lower",
            cmap="magma",
            vmin=FLOOR_DB,
            vmax=0,
            format="png",
        )
