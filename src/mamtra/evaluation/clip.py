"""One spoken sentence as it is judged, and what makes it degenerate whatever a judge says."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mamtra.audio.clip import Audio

ENDED = "end"  # the stop reason of speech that ended by itself
ERROR = "error"  # that of a system that failed
SILENT_RMS = 1e-3  # -60 dB; the quietest source voice has 0.04
# four voices of flite needed 0.05-0.10 s a letter in sentences and up to 0.15 in single words
LEAST_SECONDS_PER_LETTER = 0.03
MOST_SECONDS_PER_LETTER = 0.16
# as long as so many letters, at most: a figure is a word or two ("seventy-seven thousand"), a
# character of Chinese, Japanese or Korean takes 0.2 to 0.4 s
LETTERS_OF_FIGURE, LETTERS_OF_CHARACTER = 10, 3
FIRST_CHARACTER = "\u2e80"  # from here on Unicode has scripts whose characters are syllables
SPARE_SECONDS = 0.6  # silence at both ends and a pause
LONGEST_PAUSE_SECONDS = 1.5
FRAME_SECONDS = 0.02


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clip:
    """What one system made of one sentence.

    Attributes:
        stop: why the speech LM stopped; ``end`` for systems without one.
        attempts: how often the speech LM tried.
        took_seconds: how long making it took; 0 where nobody knows.
        nats: the speech LM's cross entropy on the source's tokens, where it was computed.
        state_bytes: what the speech LM's state took at the end; 0 where nobody knows.
    """

    samples: Float[np.ndarray, " samples"]
    rate_hz: int
    stop: str = ENDED
    attempts: int = 1
    took_seconds: float = 0.0
    nats: float | None = None
    state_bytes: int = 0

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.samples) / self.rate_hz

    @property
    def audio(self) -> Audio:
        """The sound alone."""
        return Audio(samples=self.samples, rate_hz=self.rate_hz)


def longest_pause(clip: Clip) -> float:
    """Seconds of the longest silence between two sounds."""
    frame = max(1, round(FRAME_SECONDS * clip.rate_hz))
    whole = clip.samples[: len(clip.samples) // frame * frame].reshape(-1, frame)
    loud = np.flatnonzero(np.sqrt(np.mean(np.square(whole), axis=1)) > SILENT_RMS)
    return 0.0 if len(loud) < 2 else float(np.diff(loud).max() - 1) * FRAME_SECONDS


def most_letters(text: str) -> int:
    """How many letters of English a text takes as long as, at most."""
    weights = (
        LETTERS_OF_FIGURE
        if character.isdigit()
        else LETTERS_OF_CHARACTER
        if character >= FIRST_CHARACTER
        else 1
        for character in text
        if character.isalnum()
    )
    return sum(weights)


def fault(clip: Clip, text: str) -> str:
    """What makes a clip degenerate: a stop reason, an impossible length, silence; or nothing."""
    letters = sum(character.isalpha() for character in text)
    if clip.stop != ENDED:
        return clip.stop
    if not np.isfinite(clip.samples).all():
        return "not finite"
    if clip.seconds < LEAST_SECONDS_PER_LETTER * letters:
        return "too short"
    if clip.seconds > MOST_SECONDS_PER_LETTER * most_letters(text) + SPARE_SECONDS:
        return "too long"
    if not len(clip.samples) or np.sqrt(np.mean(np.square(clip.samples))) < SILENT_RMS:
        return "silent"
    return "long pause" if longest_pause(clip) > LONGEST_PAUSE_SECONDS else ""
