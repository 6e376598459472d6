"""Sound into a pipe while it is being made: a WAV whose header says that its length is unknown.

The two sizes in the header are 0xFFFFFFFF, which players and converters take for "until the end",
so what arrived before an interruption can be played.
"""

import struct
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from mamtra.errors import AudioError

UNKNOWN = 0xFFFFFFFF
BYTES = 2  # of a sample
FULL_SCALE = 32767
PCM = 1  # the format's number for plain samples


@runtime_checkable
class Pipe(Protocol):
    """Where bytes go."""

    def write(self, data: bytes, /) -> Any:
        """Take bytes."""
        ...

    def flush(self) -> None:
        """Send what was taken."""
        ...


def information(comment: str) -> bytes:
    """The LIST INFO part of a WAV with a comment (ICMT); nothing for none."""
    if not comment:
        return b""
    text = comment.encode("ascii") + b"\0"
    text += b"\0" * (len(text) % 2)
    entry = b"INFOICMT" + struct.pack("<I", len(text)) + text
    return b"LIST" + struct.pack("<I", len(entry)) + entry


def header(rate_hz: int, comment: str = "") -> bytes:
    """The head of a WAV of 16-bit samples in one channel, of unknown length."""
    form = struct.pack("<HHIIHH", PCM, 1, rate_hz, rate_hz * BYTES, BYTES, 8 * BYTES)
    parts = [b"RIFF", struct.pack("<I", UNKNOWN), b"WAVEfmt ", struct.pack("<I", len(form)), form]
    return b"".join([*parts, information(comment), b"data", struct.pack("<I", UNKNOWN)])


class PipedSound:
    """A WAV that leaves through a pipe; each write is sent at once, the header with the first.

    Args:
        pipe: where to; it stays open.
        rate_hz: samples a second.
        comment: goes into the header.
    """

    def __init__(self, pipe: Pipe, rate_hz: int, comment: str = "") -> None:
        self.pipe, self.rate_hz, self.samples = pipe, rate_hz, 0
        self.header = header(rate_hz, comment)

    @property
    def seconds(self) -> float:
        """How much was sent."""
        return self.samples / self.rate_hz

    def write(self, samples: Float[np.ndarray, " samples"]) -> None:
        """Send samples; what lies beyond -1 and 1 is cut off.

        Raises:
            AudioError: a sample is infinite or not a number.
            BrokenPipeError: nobody listens any more.
        """
        if not np.isfinite(samples).all():
            raise AudioError("the samples hold infinite values or NaN; they were not written")
        whole = (np.clip(samples, -1, 1) * FULL_SCALE).round().astype("<i2").tobytes()
        if len(samples):
            self.pipe.write(whole if self.samples else self.header + whole)
            self.pipe.flush()
        self.samples += len(samples)
