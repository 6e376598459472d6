"""What every synthesiser of the corpus gives back: sound, phones, and where they lie if it knows.

Phones are flite's American English, which the text of a user may hold as well, a pause, and the
flap of "butter".
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import numpy as np

from mamtra.text import tokenizer as text_tokenizer

PAUSE, FLAP = "pau", "dx"
MAIN_VOICE = "heart"  # most of nano's corpus
PHONES = (PAUSE, *text_tokenizer.PHONES, FLAP)
LEAD_SECONDS = 0.08  # silence kept before the first phone
TAIL_SECONDS = 0.12  # silence kept after the last phone


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """One spoken sentence.

    Attributes:
        samples: signed 16-bit audio at ``rate_hz``.
        words: each word as written, with its phones; empty where the source does not tell.
        phones: every phone in order, pauses included.
        starts, ends: the samples between which each phone lies; empty where the source does not
            tell. What lies between two phones belongs to neither.
        pitch: in hertz, a value for each 20 ms, 0 where unvoiced; None where the source does not
            tell.
    """

    samples: np.ndarray
    words: list[tuple[str, list[str]]]
    phones: list[str]
    rate_hz: int = 16_000
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    pitch: np.ndarray | None = None


def loud_part(samples: np.ndarray, share: float = 0.01) -> tuple[int, int]:
    """The first and one beyond the last sample louder than a share of the loudest; 0, 0 if none."""
    loud = np.flatnonzero(np.abs(samples) > share * np.abs(samples).max(initial=0))
    return (int(loud[0]), int(loud[-1]) + 1) if len(loud) else (0, 0)


class Speaking(ABC):
    """A synthesiser of one voice.

    Attributes:
        rate_hz: of everything that it says.
    """

    rate_hz: int

    @abstractmethod
    def say(self, text: str) -> Spoken | None:
        """Speak one sentence; None where nothing is to be heard."""

    @abstractmethod
    def identity(self) -> dict[str, str]:
        """What package it is, for the corpus's manifest."""

    def speak(self, text: str) -> np.ndarray:
        """The samples of one sentence alone: float32 in [-1, 1] at ``rate_hz``."""
        spoken = self.say(text)
        return np.zeros(0, np.float32) if spoken is None else spoken.samples / np.float32(32768)
