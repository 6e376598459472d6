"""Sound files: reading, writing and changing the rate. No models here.

Samples are float32 between -1 and 1, one channel. Files are written beside and renamed, so that a
reader never meets half a file and an interrupted write leaves the old one.
"""

import io
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from jaxtyping import Float

from mamtra.atomic import check_place, write_file
from mamtra.errors import AudioError

MOST_BYTES = 8 << 30  # of samples read at once, in float32; twelve hours of speech are four
# suffix -> (soundfile's name of the container, of the encoding)
FORMATS = {
    ".wav": ("WAV", "PCM_16"),
    ".flac": ("FLAC", "PCM_16"),
    ".ogg": ("OGG", "VORBIS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Audio:
    """One clip of sound.

    Attributes:
        samples: values between -1 and 1.
        rate_hz: samples a second.
    """

    samples: Float[np.ndarray, "samples"]
    rate_hz: int

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.samples) / self.rate_hz

    def at(self, rate_hz: int) -> "Audio":
        """The same sound at another rate."""
        if rate_hz == self.rate_hz:
            return self
        samples = soxr.resample(self.samples, self.rate_hz, rate_hz).astype(np.float32)
        return Audio(samples=samples, rate_hz=rate_hz)


UNREADABLE = (OSError, TypeError, ValueError, soundfile.LibsndfileError)  # what soundfile raises


def check_size(path: Path | str) -> float:
    """Refuse a file that claims to hold more sound than fits into memory; give its seconds.

    Raises:
        AudioError: it does.
    """
    claimed = soundfile.info(str(path))
    seconds = claimed.frames / claimed.samplerate
    if claimed.frames * claimed.channels * 4 > MOST_BYTES:
        hours = seconds / 3600
        raise AudioError(
            f"{str(path)!r} claims to last {hours:,.0f} hours; "
            "cut it into files, or fetch it again if it does not"
        )
    return seconds


def unreadable(path: Path | str, problem: Exception) -> AudioError:
    """Why a file cannot be read as sound."""
    reason = f"{problem} (WAV, FLAC, OGG and MP3 are known)"
    if not Path(path).exists():
        reason = "no such file"
    return AudioError(f"cannot read {str(path)!r} as sound: {reason}")


def claimed_seconds(path: Path | str) -> float:
    """How long a sound file says that it lasts; nothing of it is decoded.

    Raises:
        AudioError: there is no such file, or it is not sound.
    """
    try:
        return check_size(path)
    except UNREADABLE as problem:
        raise unreadable(path, problem) from problem


def read_channels(path: Path | str) -> tuple[Float[np.ndarray, "samples channels"], int]:
    """Read a sound file channel by channel, and its rate.

    Raises:
        AudioError: there is no such file, or it is not sound.
    """
    try:
        check_size(path)
        return soundfile.read(str(path), dtype="float32", always_2d=True)
    except UNREADABLE as problem:
        raise unreadable(path, problem) from problem


def read(path: Path | str) -> Audio:
    """Read a sound file; several channels become their mean.

    Raises:
        AudioError: there is no such file, or it is not sound.
    """
    samples, rate_hz = read_channels(path)
    return Audio(samples=samples.mean(axis=1), rate_hz=rate_hz)


def check_target(path: Path | str) -> Path:
    """Make sure that a sound file can be written, before any work is spent on it.

    Raises:
        AudioError: no name, an unknown suffix, or ``check_place`` refuses it.
    """
    if not isinstance(path, str | os.PathLike):
        raise AudioError(f"{path!r} is no path; give the name of a file, as a string or a Path")
    if not os.fspath(path):
        raise AudioError("the name of the sound file is empty; give one, as speech.wav")
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise AudioError(
            f"cannot write {str(path)!r}: its suffix must be one of {', '.join(FORMATS)}"
        )
    check_place(path, AudioError)
    return path


def encode(audio: Audio, suffix: str = ".wav", comment: str = "") -> bytes:
    """One clip as a whole file in memory; what lies beyond -1 and 1 is cut off.

    Args:
        audio: the clip.
        suffix: one of ``FORMATS``.
        comment: goes into the file's metadata.

    Raises:
        AudioError: a sample is infinite or not a number.
    """
    if not np.isfinite(audio.samples).all():
        raise AudioError("the samples hold infinite values or NaN; nothing was written")
    container, encoding = FORMATS[suffix]
    buffer = io.BytesIO()
    clipped = np.clip(audio.samples, -1, 1)
    with soundfile.SoundFile(buffer, "w", audio.rate_hz, 1, encoding, format=container) as file:
        if comment:
            file.comment = comment
        file.write(clipped)
    return buffer.getvalue()


def write(path: Path | str, audio: Audio, comment: str = "") -> Path:
    """Write a sound file in the format of its suffix, with a comment in its metadata.

    Raises:
        AudioError: the file cannot be written, or the samples are not finite.
    """
    path = check_target(path)
    try:
        write_file(path, encode(audio, path.suffix.lower(), comment), AudioError)
    except soundfile.LibsndfileError as problem:
        raise AudioError(f"cannot write {str(path)!r}: {problem}") from problem
    return path
