"""Pieces of speech one after another: trimmed, faded, with pauses that suit the text.

A click is a jump between neighbouring samples. Each piece starts and ends at zero after its fade,
and what lies between pieces is silence, so no join can jump.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

Samples = Float[np.ndarray, " _samples"]  # pieces differ in length

FADE_SECONDS = 0.005  # short enough not to blunt a consonant
FRAME_SECONDS = 0.01
QUIET = 0.02  # a frame whose loudest sample is below this share of the piece's is silent
KEPT_SECONDS = 0.04  # silence kept before and after the sound of a piece
PAUSE_SECONDS = {".": 0.35, "!": 0.35, "?": 0.4, ";": 0.25, ":": 0.25, ",": 0.15}
OTHER_PAUSE_SECONDS = 0.05  # a piece that was cut between words


def faded(samples: Samples, rate: int) -> Samples:
    """The same sound, risen from and fallen to zero."""
    length = min(round(FADE_SECONDS * rate), len(samples) // 2)
    ramp = np.sin(np.linspace(0, np.pi / 2, length, dtype=np.float32)) ** 2
    result = samples.copy()
    result[:length] *= ramp
    result[len(result) - length :] *= ramp[::-1]
    return result


def edges(samples: Samples, rate: int) -> tuple[int, int]:
    """First and last sample worth keeping: the sound with a little of the silence around it."""
    frame, kept = round(FRAME_SECONDS * rate), round(KEPT_SECONDS * rate)
    starts = np.arange(0, len(samples), frame)
    loudest = np.maximum.reduceat(np.abs(samples), starts) if len(samples) else starts
    loud = np.flatnonzero(loudest > QUIET * loudest.max(initial=0))
    if not len(loud):
        return 0, len(samples)
    first, last = loud[0] * frame, (loud[-1] + 1) * frame
    return max(0, int(first) - kept), min(len(samples), int(last) + kept)


def pause_after(text: str) -> float:
    """Seconds of silence that suit the end of a piece of text."""
    return PAUSE_SECONDS.get(text.rstrip()[-1:], OTHER_PAUSE_SECONDS)


def join_samples(pieces: Sequence[Samples], texts: Sequence[str], rate: int) -> Samples:
    """All pieces as one sound.

    The start of the first and the end of the last piece stay as they were spoken.
    """
    last = len(pieces) - 1
    joined = []
    for place, (samples, text) in enumerate(zip(pieces, texts, strict=True)):
        first, end = edges(samples, rate)
        kept = samples[first if place else 0 : end if place < last else len(samples)]
        joined.append(faded(kept, rate))
        if place < last:
            joined.append(np.zeros(round(pause_after(text) * rate), np.float32))
    return np.concatenate(joined)
