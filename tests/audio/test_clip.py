"""Sound files: what goes in comes out, and what cannot be written is said first."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mamtra.audio.clip import Audio, check_target, encode, read, write
from mamtra.audio.file_writer import GrowingSound
from mamtra.errors import AudioError


@pytest.fixture
def tone() -> Audio:
    time = np.arange(8000, dtype=np.float32) / 16_000
    return Audio(samples=np.sin(2 * np.pi * 440 * time) * np.float32(0.5), rate_hz=16_000)


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_a_lossless_file_gives_back_its_samples(tone: Audio, tmp_path: Path, suffix: str) -> None:
    back = read(write(tmp_path / f"tone{suffix}", tone))
    assert back.rate_hz == tone.rate_hz
    np.testing.assert_allclose(back.samples, tone.samples, atol=1 / 32_000)


@pytest.mark.parametrize("suffix", [".ogg", ".mp3", ".WAV"])
def test_other_suffixes_are_written_in_their_format(
    tone: Audio, tmp_path: Path, suffix: str
) -> None:
    back = read(write(tmp_path / f"tone{suffix}", tone))
    assert back.seconds == pytest.approx(tone.seconds, abs=0.1)


def test_writing_leaves_nothing_beside_the_file(tone: Audio, tmp_path: Path) -> None:
    write(tmp_path / "tone.wav", tone)
    assert [path.name for path in tmp_path.iterdir()] == ["tone.wav"]


def test_samples_that_are_not_numbers_leave_the_old_file(tone: Audio, tmp_path: Path) -> None:
    path = write(tmp_path / "tone.wav", tone)
    before = path.read_bytes()
    with pytest.raises(AudioError, match="NaN"):
        write(path, Audio(samples=np.full(10, np.nan, np.float32), rate_hz=16_000))
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_too_loud_samples_are_cut_off_and_do_not_wrap(tmp_path: Path) -> None:
    loud = Audio(samples=np.array([2.0, -2.0, 0.0], np.float32), rate_hz=16_000)
    assert read(write(tmp_path / "loud.wav", loud)).samples == pytest.approx([1, -1, 0], abs=1e-4)


def test_stereo_becomes_one_channel(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "two.wav", np.array([[0.5, 0.1]] * 50), 8000)
    assert read(tmp_path / "two.wav").samples == pytest.approx(np.full(50, 0.3), abs=1e-3)


def test_a_new_rate_keeps_the_duration(tone: Audio) -> None:
    assert tone.at(24_000).seconds == pytest.approx(tone.seconds)
    assert tone.at(16_000) is tone


def test_a_wav_in_memory_is_a_whole_file(tone: Audio) -> None:
    samples, rate_hz = soundfile.read(io.BytesIO(encode(tone)))
    assert (len(samples), rate_hz) == (8000, 16_000)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a.txt", "suffix must be one of .wav"),
        ("none/a.wav", "no folder"),
        ("dir.wav", "a folder"),
        (f"{'a' * 300}.wav", "cannot write .*file name too long; give another name"),
        ("a\0.wav", "NUL"),
        ("a\udcff.wav", "not UTF-8"),
    ],
)
def test_a_target_that_cannot_be_written_says_why(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "dir.wav").mkdir()
    with pytest.raises(AudioError, match=reason):
        check_target(tmp_path / name)


def test_the_longest_name_that_a_folder_takes_is_written(tone: Audio, tmp_path: Path) -> None:
    longest = tmp_path / f"{'a' * 251}.wav"
    with GrowingSound(longest, tone.rate_hz) as file:
        file.write(tone.samples)
    assert [path.name for path in tmp_path.iterdir()] == [longest.name]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(AudioError, match="no permission"):
        check_target(tmp_path / "a.wav")


def test_what_is_not_sound_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("hello")
    with pytest.raises(AudioError, match=r"text\.wav"):
        read(tmp_path / "text.wav")
    with pytest.raises(AudioError, match="no such file"):
        read(tmp_path / "absent.wav")
