"""Recordings of every kind: mended with a note, or refused with a sentence."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from mamtra.errors import AudioError, VoiceError
from mamtra.voice.prompt_recording import read_recording

RATE = 16_000


def tone(seconds: float, rate_hz: int = RATE, peak: float = 0.3) -> np.ndarray:
    time = np.arange(round(seconds * rate_hz), dtype=np.float32) / rate_hz
    return (peak * np.sin(2 * np.pi * 200 * time)).astype(np.float32)


def written(folder: Path, samples: np.ndarray, rate_hz: int = RATE) -> Path:
    soundfile.write(folder / "a.wav", samples, rate_hz, subtype="FLOAT")
    return folder / "a.wav"


def test_a_good_recording_is_taken_as_it_is(tmp_path: Path) -> None:
    found = read_recording(written(tmp_path, tone(2)), "Two seconds of words.")
    assert not found.notes
    np.testing.assert_allclose(found.audio.samples, tone(2), atol=1e-6)


def test_channels_are_mixed_and_opposed_ones_are_not_lost(tmp_path: Path) -> None:
    both = read_recording(written(tmp_path, np.stack([tone(2), tone(2)], axis=1)))
    assert "2 channels were mixed" in both.notes[0]
    opposed = read_recording(written(tmp_path, np.stack([tone(2), -0.99 * tone(2)], axis=1)))
    assert "cancel each other out" in opposed.notes[0]
    assert np.abs(opposed.audio.samples).max() == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 44_100, 96_000])
def test_odd_rates_are_read_and_low_ones_noted(tmp_path: Path, rate_hz: int) -> None:
    found = read_recording(written(tmp_path, tone(1, rate_hz), rate_hz))
    assert found.audio.at(24_000).seconds == pytest.approx(1, abs=0.01)
    assert any("dull" in note for note in found.notes) == (rate_hz < 16_000)


def test_silent_ends_are_cut_off(tmp_path: Path) -> None:
    silence = np.zeros(2 * RATE, np.float32)
    found = read_recording(written(tmp_path, np.concatenate([silence, tone(1), silence])))
    assert found.audio.seconds == pytest.approx(1.4, abs=0.03)
    assert "3.6 seconds of silence" in found.notes[0]


def test_loud_and_quiet_ones_are_brought_to_a_sensible_level(tmp_path: Path) -> None:
    loud = read_recording(written(tmp_path, tone(1, peak=2.5)))
    assert np.abs(loud.audio.samples).max() == pytest.approx(1, abs=1e-3)
    assert any("lowered" in note for note in loud.notes)
    quiet = read_recording(written(tmp_path, tone(1, peak=0.01)))
    assert np.abs(quiet.audio.samples).max() == pytest.approx(0.5, abs=1e-2)
    assert "raised" in quiet.notes[0]


def test_a_clipped_one_is_used_with_a_note(tmp_path: Path) -> None:
    found = read_recording(written(tmp_path, np.clip(tone(1, peak=3), -1, 1)))
    assert "clipped" in found.notes[0]


def test_one_of_floats_far_above_full_scale_is_not_called_clipped(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 0.8, RATE).astype(np.float32)
    notes = read_recording(written(tmp_path, noise)).notes
    assert [note for note in notes if "lowered" in note] == notes
    clipped = read_recording(written(tmp_path, 4 * np.clip(noise, -1, 1)))
    assert "clipped" in clipped.notes[0]


def test_a_long_one_is_cut_at_a_pause_unless_it_has_words(tmp_path: Path) -> None:
    samples = tone(40)
    samples[26 * RATE : 27 * RATE] = 0
    path = written(tmp_path, samples)
    found = read_recording(path)
    assert 26 < found.audio.seconds < 27
    assert "first 26" in found.notes[0]
    with pytest.raises(VoiceError, match=r"40\.0 seconds and a prompt at most 30; cut it and its"):
        read_recording(path, "Its words.")


def test_words_that_cannot_be_its_own_are_noted(tmp_path: Path) -> None:
    found = read_recording(written(tmp_path, tone(1)), "far too many words for one second " * 3)
    assert "exactly the words that are spoken" in found.notes[0]


@pytest.mark.parametrize(
    ("samples", "rate_hz", "reason"),
    [
        (np.zeros(RATE, np.float32), RATE, "silent"),
        (np.zeros(0, np.float32), RATE, "holds no sound"),
        (np.full(RATE, np.nan, np.float32), RATE, "infinite values or NaN"),
        (tone(1, 4_000), 4_000, "speech needs at least 8000"),
    ],
)
def test_what_cannot_be_mended_is_refused(
    tmp_path: Path, samples: np.ndarray, rate_hz: int, reason: str
) -> None:
    with pytest.raises(VoiceError, match=reason):
        read_recording(written(tmp_path, samples, rate_hz))


def test_what_is_no_sound_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF but nothing that follows is sound")
    with pytest.raises(AudioError, match=r"cannot read .*a\.wav' as sound"):
        read_recording(tmp_path / "a.wav")
    with pytest.raises(AudioError, match="no such file"):
        read_recording(tmp_path / "b.wav")
    half = written(tmp_path, tone(1)).read_bytes()[:40]
    (tmp_path / "c.wav").write_bytes(half)
    with pytest.raises((AudioError, VoiceError)):
        read_recording(tmp_path / "c.wav")


def test_half_a_file_and_a_long_silence_are_noted(tmp_path: Path) -> None:
    path = written(tmp_path, tone(2))
    path.write_bytes(path.read_bytes()[:60_000])
    assert "its end is missing" in read_recording(path).notes[0]
    silence = np.zeros(4 * RATE, np.float32)
    inside = read_recording(written(tmp_path, np.concatenate([tone(1), silence, tone(1)])))
    assert "a silence of 4.0 seconds" in inside.notes[0]


def test_a_file_that_claims_years_or_is_no_sound_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.raw").write_bytes(b"abc")
    with pytest.raises(AudioError, match="as sound"):
        read_recording(tmp_path / "x.raw")
    soundfile.write(tmp_path / "a.flac", tone(1), RATE)
    content = bytearray((tmp_path / "a.flac").read_bytes())
    content[21] |= 0xF  # the upper bits of 36 that count samples
    content[22:26] = b"\xff" * 4
    (tmp_path / "a.flac").write_bytes(content)
    with pytest.raises(AudioError, match="claims to last 1,193 hours"):
        read_recording(tmp_path / "a.flac")
