"""Pieces of speech one after another: trimmed, faded, with pauses that suit the text.

A click is a jump between neighbouring samples. Each piece starts and ends at zero after its fade,
and what lies between pieces is silence, so no join can jump. A ``Joiner`` takes pieces as they come
and holds one of them at a time, so a book needs no more memory than a sentence.
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
PARAGRAPH_PAUSE_SECONDS = 0.7  # twice that of a sentence, as readers of books do


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


def pause_after(text: str, ends_paragraph: bool = False) -> float:
    """Seconds of silence that suit the end of a piece of text."""
    if ends_paragraph:
        return PARAGRAPH_PAUSE_SECONDS
    return PAUSE_SECONDS.get(text.rstrip()[-1:], OTHER_PAUSE_SECONDS)


class Joiner:
    """Joins pieces as they come.

    The start of the first and the end of the last piece stay as they were spoken. Whether a piece
    is the last is known only when another one comes or none does, so one is held back.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.held: Samples | None = None
        self.kept = self.pause = 0

    def push(self, samples: Samples, pause_seconds: float) -> Samples:
        """Take a piece and the pause that follows it; what can be written by now."""
        first, end = edges(samples, self.rate)
        before = self.emit(last=False)
        self.held = samples[0 if self.held is None else first :]
        self.kept = end - (len(samples) - len(self.held))
        self.pause = round(pause_seconds * self.rate)
        return before

    def emit(self, *, last: bool) -> Samples:
        """The held piece, with the pause after it if another one follows."""
        if self.held is None:
            return np.zeros(0, np.float32)
        if last:
            return faded(self.held, self.rate)
        sound = faded(self.held[: self.kept], self.rate)
        return np.concatenate([sound, np.zeros(self.pause, np.float32)])

    def finish(self) -> Samples:
        """What is left to be written when no piece follows."""
        rest = self.emit(last=True)
        self.held = None
        return rest


def join_samples(pieces: Sequence[Samples], pauses: Sequence[float], rate: int) -> Samples:
    """All pieces as one sound, with so many seconds of silence after each but the last."""
    joiner = Joiner(rate)
    parts = [joiner.push(samples, pause) for samples, pause in zip(pieces, pauses, strict=True)]
    return np.concatenate([*parts, joiner.finish()])
