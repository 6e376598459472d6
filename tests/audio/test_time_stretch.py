"""Changing the speed of speech: length, pitch, loudness, and streams that equal the whole."""

import numpy as np
import pytest

from mamtra.audio.time_stretch import TimeStretch, change_speed
from mamtra.errors import ConfigError

RATE = 16_000


def voiced(seconds: float, pitch_hz: float = 120.0) -> np.ndarray:
    """A sound with the harmonics and the slow swell of a voice."""
    time = np.arange(int(seconds * RATE)) / RATE
    harmonics = sum(np.sin(2 * np.pi * pitch_hz * n * time) / n for n in range(1, 12))
    return (0.2 * harmonics * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time))).astype(np.float32)


def pitch_of(samples: np.ndarray) -> float:
    """The strongest frequency below 300 Hz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    frequencies = np.fft.rfftfreq(len(samples), 1 / RATE)
    low = frequencies < 300
    return float(frequencies[low][spectrum[low].argmax()])


@pytest.mark.parametrize("speed", [0.5, 0.75, 1.25, 1.5, 2.0])
def test_the_length_changes_and_the_pitch_stays(speed: float) -> None:
    sound = voiced(2.0)
    changed = change_speed(sound, RATE, speed)
    assert len(changed) == round(len(sound) / speed)
    assert abs(pitch_of(changed) - 120.0) < 3.0
    loudness = np.sqrt(np.mean(changed**2)) / np.sqrt(np.mean(sound**2))
    assert 0.9 < loudness < 1.1


def test_at_speed_one_nothing_changes() -> None:
    sound = voiced(0.3)
    assert np.array_equal(change_speed(sound, RATE, 1.0), sound)


@pytest.mark.parametrize("size", [1, 7, 333, 5000])
@pytest.mark.parametrize("speed", [0.6, 1.7])
def test_a_stream_equals_the_whole_for_any_cut(size: int, speed: float) -> None:
    sound = voiced(0.25)
    stretch = TimeStretch(RATE, speed)
    pieces = [stretch.push(sound[at : at + size]) for at in range(0, len(sound), size)]
    assert np.array_equal(
        np.concatenate([*pieces, stretch.finish()]), change_speed(sound, RATE, speed)
    )


@pytest.mark.parametrize("length", [0, 1, 50, 300])
def test_sounds_shorter_than_a_frame_are_changed_too(length: int) -> None:
    assert len(change_speed(voiced(1.0)[:length], RATE, 2.0)) == round(length / 2)


def test_memory_does_not_grow_with_the_stream() -> None:
    stretch = TimeStretch(RATE, 1.5)
    for _ in range(50):
        stretch.push(voiced(0.1))
    assert len(stretch.buffer) < RATE // 5


@pytest.mark.parametrize("speed", [0.49, 2.01, 0.0, -1.0, float("nan")])
def test_other_speeds_are_refused_with_the_range(speed: float) -> None:
    with pytest.raises(ConfigError, match=r"from 0\.5 to 2\.0"):
        TimeStretch(RATE, speed)
