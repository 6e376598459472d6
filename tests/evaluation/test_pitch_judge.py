"""The judge that measures how much a voice's pitch moves."""

import math

import numpy as np
import pytest

from mamtra.evaluation.judges.judge import Quality
from mamtra.evaluation.judges.registry import open_judge

RATE = 16_000


def vowel(semitones: float, level_hz: float = 120.0) -> np.ndarray:
    """Two seconds of a buzz whose pitch swings as a sine of this amplitude."""
    seconds = np.arange(2 * RATE) / RATE
    pitch = level_hz * 2 ** (semitones * np.sin(2 * np.pi * seconds) / 12)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    return sum(np.sin(n * phase) / n for n in range(1, 8)).astype(np.float32) * 0.1


@pytest.mark.parametrize("level_hz", [110.0, 200.0])
@pytest.mark.parametrize("amplitude", [1.0, 4.0])
def test_the_spread_of_a_known_pitch_is_found(amplitude: float, level_hz: float) -> None:
    judge = open_judge("pitch")
    assert isinstance(judge, Quality)
    wanted = amplitude / math.sqrt(2)
    assert judge.quality(vowel(amplitude, level_hz), RATE) == pytest.approx(wanted, rel=0.1)


def test_a_clip_without_voice_has_no_spread() -> None:
    judge = open_judge("pitch")
    assert isinstance(judge, Quality)
    assert judge.quality(np.zeros(RATE, np.float32), RATE) == 0


@pytest.mark.parametrize("samples", [0, 1, 999])
def test_a_clip_too_short_for_a_pitch_has_no_spread(samples: int) -> None:
    judge = open_judge("pitch")
    assert isinstance(judge, Quality)
    assert judge.quality(vowel(1.0)[:samples], RATE) == 0
