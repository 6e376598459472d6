"""Speech faster or slower at the same pitch, sample stream in and sample stream out.

WSOLA (Verhelst and Roelands, "An overlap-add technique based on waveform similarity", 1993):
frames are taken from the input at one pace and laid down at another, each moved by a few
milliseconds to where it continues the frame before it best. Each decision depends on samples that
have already arrived, so the result is the same however the stream is cut.
"""

import numpy as np
from jaxtyping import Float

from mamtra.errors import ConfigError

Samples = Float[np.ndarray, " _samples"]

SLOWEST, FASTEST = 0.5, 2.0  # beyond, words are lost to any listener
FRAME_SECONDS = 0.032  # two to six periods of a voice
SEARCH_SECONDS = 0.008  # a frame may move by this much either way: one period of a low voice


def check_speed(speed: float | int) -> float:
    """A speed that can be spoken.

    Raises:
        ConfigError: it is no number between the slowest and the fastest.
    """
    if isinstance(speed, bool) or not isinstance(speed, float | int):
        raise ConfigError(f"speed {speed!r} is no number; give one from {SLOWEST} to {FASTEST}")
    if not SLOWEST <= speed <= FASTEST:
        raise ConfigError(f"speed {speed} is out of range; give one from {SLOWEST} to {FASTEST}")
    return float(speed)


class TimeStretch:
    """Changes the speed of a stream of samples.

    The first and the last samples of the stream keep their place: nothing is faded in or cut off.

    Args:
        rate_hz: samples a second.
        speed: 2 is twice as fast.

    Raises:
        ConfigError: the speed is out of range.
    """

    def __init__(self, rate_hz: int, speed: float | int) -> None:
        self.speed = check_speed(speed)
        self.hop = round(FRAME_SECONDS * rate_hz / 2)
        self.frame = 2 * self.hop
        self.search = round(SEARCH_SECONDS * rate_hz)
        # a periodic Hann window: two of them, half a frame apart, add up to one
        phase = 2 * np.pi * np.arange(self.frame) / self.frame
        self.window = (0.5 - 0.5 * np.cos(phase)).astype(np.float32)
        self.buffer = np.zeros(0, np.float32)
        self.dropped = 0  # input samples before the buffer
        self.arrived = 0
        self.frames = 0
        self.before = 0  # where the last frame was taken
        self.overlap = np.zeros(self.hop, np.float32)
        self.sent = 0

    def at(self, start: int, length: int) -> Samples:
        """Input samples by their place in the stream; zeros before its start and past its end."""
        first = start - self.dropped
        piece = self.buffer[max(0, first) : max(0, first + length)]
        left = min(length, max(0, -first))
        return np.pad(piece, (left, length - left - len(piece)))

    def best_start(self, around: int) -> int:
        """Where the frame near ``around`` continues the last one best."""
        target = self.at(self.before + self.hop, self.frame)
        region = self.at(around - self.search, self.frame + 2 * self.search)
        products = np.correlate(region, target, "valid")
        power = np.concatenate([[0.0], np.cumsum(np.square(region, dtype=np.float64))])
        energy = power[self.frame :] - power[: -self.frame]
        return around - self.search + int(np.argmax(products / np.sqrt(energy + 1e-9)))

    def ready(self, end: int) -> bool:
        """Whether the next frame can be chosen when the input reaches up to ``end``."""
        around = round(self.frames * self.hop * self.speed)
        return end >= max(around + self.search, self.before + self.hop) + self.frame

    def next_frame(self) -> Samples:
        """Lay the next frame down; the samples that are settled by it."""
        around = round(self.frames * self.hop * self.speed)
        start = self.best_start(around) if self.frames else 0
        frame = self.at(start, self.frame)
        faded = frame * self.window
        settled = self.overlap + faded[: self.hop]
        if not self.frames:
            settled = frame[: self.hop]
        self.overlap, self.before = faded[self.hop :], start
        self.frames += 1
        following = round(self.frames * self.hop * self.speed)
        needless = min(following - self.search, start + self.hop) - self.dropped
        if needless > 0:
            self.buffer, self.dropped = self.buffer[needless:], self.dropped + needless
        return settled

    def push(self, samples: Samples) -> Samples:
        """Take samples; those of the result that are settled by now."""
        if self.speed == 1.0:
            return samples
        self.buffer = np.concatenate([self.buffer, samples.astype(np.float32, copy=False)])
        self.arrived += len(samples)
        parts = []
        while self.ready(self.arrived):
            parts.append(self.next_frame())
        return self.take(parts)

    def take(self, parts: list[Samples]) -> Samples:
        """Join what leaves now, and count it."""
        out = np.concatenate(parts) if parts else np.zeros(0, np.float32)
        self.sent += len(out)
        return out

    def finish(self) -> Samples:
        """What is left of the result when the stream has ended."""
        if self.speed == 1.0:
            return np.zeros(0, np.float32)
        missing = round(self.arrived / self.speed) - self.sent
        parts: list[Samples] = []
        while sum(map(len, parts)) < missing:
            parts.append(self.next_frame())
        return self.take([np.concatenate(parts)[:missing]] if parts else [])


def change_speed(samples: Samples, rate_hz: int, speed: float | int) -> Samples:
    """Whole samples at another speed.

    Raises:
        ConfigError: the speed is out of range.
    """
    stretch = TimeStretch(rate_hz, speed)
    return np.concatenate([stretch.push(samples), stretch.finish()])
