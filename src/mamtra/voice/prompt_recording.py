"""A recording made ready to be a voice's prompt.

What can be mended without harm is mended, and told in a note: several channels, odd rates, silence
at the ends, too little or too much loudness, too great a length. What cannot be is refused in one
sentence. A clipped recording is used as it is, with a note: nothing brings the peaks back.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mamtra.audio.clip import Audio, read_channels
from mamtra.audio.whole_file import is_cut_short
from mamtra.errors import VoiceError
from mamtra.voice.voice import LONGEST_SECONDS, SILENCE

LOWEST_RATE_HZ = 8_000  # of a telephone; speech cannot be told below
DULL_RATE_HZ = 16_000  # what speech tokenizers and speaker models were trained on
CANCELLED_SHARE = 0.1  # a mean so much quieter than its channels means that they are opposed
FRAME_SECONDS = 0.01
QUIET_SHARE = 0.02  # a frame below this share of the loudest sample is silence
LONG_PAUSE_SECONDS = 2.0  # longer than speakers pause
KEPT_SECONDS = 0.2  # silence that stays at the ends
WORTH_CUTTING_SECONDS = 0.5
FULL_SCALE = 0.999
CLIPPED_SHARE = 1e-3  # of the samples
MOST_OVERSHOOT = 1.5  # peak of a clipped recording at another rate
LOWEST_PEAK, RAISED_PEAK = 0.05, 0.5
EARLIEST_CUT_SECONDS = 20.0  # a recording that is too long is cut at a pause after this
LETTERS_PER_SECOND = (1.5, 30.0)  # slower or faster is no speech, so the words are not these

Samples = Float[np.ndarray, " _samples"]


@dataclass(slots=True)
class Recording:
    """A prompt, and what was done to the file to get it."""

    audio: Audio
    notes: list[str] = field(default_factory=list)


def one_channel(channels: Float[np.ndarray, "samples channels"], notes: list[str]) -> Samples:
    """The mean of the channels, or the loudest if they cancel each other out."""
    mean = channels.mean(axis=1)
    if channels.shape[1] == 1:
        return mean
    peaks = np.abs(channels).max(axis=0)
    if np.abs(mean).max() < CANCELLED_SHARE * peaks.max():
        notes.append(f"its {len(peaks)} channels cancel each other out: the loudest was taken")
        return channels[:, peaks.argmax()]
    notes.append(f"its {len(peaks)} channels were mixed to one")
    return mean


def loudness_of_frames(samples: Samples, rate_hz: int) -> Samples:
    """The loudest sample of each frame."""
    starts = np.arange(0, len(samples), max(1, round(FRAME_SECONDS * rate_hz)))
    return np.maximum.reduceat(np.abs(samples), starts)


def without_silent_ends(audio: Audio, notes: list[str]) -> Audio:
    """The recording without long silence before and after the speech."""
    frames = loudness_of_frames(audio.samples, audio.rate_hz)
    loud = np.flatnonzero(frames > QUIET_SHARE * frames.max())
    frame, kept = max(1, round(FRAME_SECONDS * audio.rate_hz)), round(KEPT_SECONDS * audio.rate_hz)
    first = max(0, int(loud[0]) * frame - kept)
    last = min(len(audio.samples), (int(loud[-1]) + 1) * frame + kept)
    cut = (len(audio.samples) - (last - first)) / audio.rate_hz
    if cut < WORTH_CUTTING_SECONDS:
        return audio
    notes.append(f"{cut:.1f} seconds of silence were cut off its ends")
    return Audio(samples=audio.samples[first:last], rate_hz=audio.rate_hz)


def of_sensible_level(samples: Samples, notes: list[str]) -> Samples:
    """The samples within full scale, and not too quiet.

    Raises:
        VoiceError: there is nothing to hear.
    """
    peak = float(np.abs(samples).max())
    if peak < SILENCE:
        raise VoiceError("the recording is silent; give one with speech")
    # what was clipped and brought to another rate goes a little beyond; what goes far was not
    ceiling = peak if peak > MOST_OVERSHOOT else min(peak, 1.0)
    share = float((np.abs(samples) >= FULL_SCALE * ceiling).mean())
    if peak >= FULL_SCALE and share > CLIPPED_SHARE:
        notes.append(
            f"{100 * share:.1f} % of it is clipped, which the voice may repeat: "
            "a quieter recording is better"
        )
    if peak > 1:
        notes.append(f"it is {peak:.1f} times as loud as full scale: it was lowered")
        return samples / np.float32(peak)
    if peak < LOWEST_PEAK:
        notes.append(f"it is very quiet (peak {peak:.3f}): it was raised")
        return samples * np.float32(RAISED_PEAK / peak)
    return samples


def short_enough(audio: Audio, text: str, notes: list[str]) -> Audio:
    """At most as much as a prompt may be, cut at the longest pause near the end.

    Raises:
        VoiceError: it is too long, and has words that a cut would make wrong.
    """
    if audio.seconds <= LONGEST_SECONDS:
        return audio
    if text:
        raise VoiceError(
            f"the recording lasts {audio.seconds:.1f} seconds and a prompt at most "
            f"{LONGEST_SECONDS:.0f}; cut it and its text, or give it without text"
        )
    frame = max(1, round(FRAME_SECONDS * audio.rate_hz))
    earliest, latest = (
        int(seconds / FRAME_SECONDS) for seconds in (EARLIEST_CUT_SECONDS, LONGEST_SECONDS)
    )
    window = round(KEPT_SECONDS / FRAME_SECONDS)
    frames = loudness_of_frames(audio.samples, audio.rate_hz)[earliest:latest]
    around = np.convolve(frames, np.ones(window), "valid")
    place = earliest + int(around.argmin()) + window // 2
    kept = audio.samples[: place * frame]
    notes.append(f"only its first {len(kept) / audio.rate_hz:.1f} seconds were used")
    return Audio(samples=kept, rate_hz=audio.rate_hz)


def note_silence_inside(audio: Audio, notes: list[str]) -> None:
    """Note a long silence between words: the voice's prompt would hold it."""
    frames = loudness_of_frames(audio.samples, audio.rate_hz)
    loud = np.flatnonzero(frames > QUIET_SHARE * frames.max())
    longest = float(np.diff(loud).max(initial=0)) * FRAME_SECONDS
    if longest >= LONG_PAUSE_SECONDS:
        notes.append(f"it holds a silence of {longest:.1f} seconds: a recording without is better")


def note_missing_end(path: Path, notes: list[str]) -> None:
    """Note that a file is shorter than it says, as half a download is."""
    with suppress(OSError):
        if is_cut_short(path):
            notes.append("its end is missing: the file is shorter than it says; fetch it again")


def check_pace(audio: Audio, text: str, notes: list[str]) -> None:
    """Note words that cannot be those of the recording."""
    letters = sum(map(str.isalnum, text))
    slowest, fastest = LETTERS_PER_SECOND
    if letters and not slowest <= (pace := letters / audio.seconds) <= fastest:
        notes.append(
            f"{letters} letters in {audio.seconds:.1f} seconds are {pace:.1f} a second: zero-shot "
            "needs exactly the words that are spoken"
        )


def read_recording(path: Path | str, text: str = "") -> Recording:
    """Read a sound file as a prompt.

    Args:
        path: of a file that libsndfile reads: WAV, FLAC, OGG, MP3 and more.
        text: the words spoken in it; with them, it is never cut short.

    Raises:
        AudioError: there is no such file, or it is not sound.
        VoiceError: it is empty, damaged, silent, of too low a rate, or too long.
    """
    channels, rate_hz = read_channels(path)
    notes: list[str] = []
    note_missing_end(Path(path), notes)
    if not channels.size:
        raise VoiceError(f"{str(path)!r} holds no sound; give a recording of speech")
    if not np.isfinite(channels).all():
        raise VoiceError(f"{str(path)!r} holds infinite values or NaN; export it again")
    if rate_hz < LOWEST_RATE_HZ:
        raise VoiceError(
            f"{str(path)!r} has {rate_hz} samples a second; speech needs at least {LOWEST_RATE_HZ}"
        )
    if rate_hz < DULL_RATE_HZ:
        notes.append(f"it has {rate_hz} samples a second, so the voice may sound dull")
    samples = of_sensible_level(one_channel(channels, notes), notes)
    audio = without_silent_ends(Audio(samples=samples, rate_hz=rate_hz), notes)
    audio = short_enough(audio, text, notes)
    note_silence_inside(audio, notes)
    check_pace(audio, text, notes)
    return Recording(audio, notes)
