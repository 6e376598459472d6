"""Samples into the formats that clients ask for, as a stream where the format allows it.

pcm    16-bit little-endian samples                                    streams
wav    whole with true sizes; as a stream with the sizes left open     streams if asked for
mp3    constant bit rate: with a variable one, readers that cannot     streams
seek believe a wrong length
opus   in Ogg                                                          streams
aac    in ADTS; by PyAV, which is an extra                             streams
flac   its header holds the length                                     whole
"""

import io
from typing import Any

import numpy as np
import soundfile
import soxr
from jaxtyping import Float

from mamtra.audio.clip import Audio, encode
from mamtra.audio.mark import mark_or_nothing
from mamtra.audio.pipe_writer import FULL_SCALE, header
from mamtra.errors import MissingExtraError, require
from mamtra.server.http_errors import HTTPError

Samples = Float[np.ndarray, " _samples"]

CONTENT_TYPES = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
WHOLE = ("flac", "wav")  # formats whose header tells the length
OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
ID3_HEADER = 10  # bytes
# bit rates of layer III by their number in a frame's head
MPEG_1_KILOBITS = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
MPEG_2_KILOBITS = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
# soundfile heeds the mode only beside a level; this one gives 80 kilobits a second at 24 kHz
CONSTANT_RATE: dict[str, Any] = {"bitrate_mode": "CONSTANT", "compression_level": 0.5}
LIBSNDFILE = {"mp3": ("MP3", "MPEG_LAYER_III"), "opus": ("OGG", "OPUS")}  # container, encoding
RATES_OF = {"opus": OPUS_RATES, "mp3": MP3_RATES, "aac": MP3_RATES}


def check_rate(format_name: str, rate_hz: int) -> None:
    """Refuse a rate that a format does not know.

    Raises:
        HTTPError: 400, with the rates that are possible.
    """
    rates = RATES_OF.get(format_name)
    if rates is not None and rate_hz not in rates:
        raise HTTPError(
            400,
            f"{format_name} cannot have a sample rate of {rate_hz}; possible are "
            f"{', '.join(map(str, rates))}",
            "invalid_sample_rate",
            "sample_rate",
        )


def as_pcm(samples: Samples) -> bytes:
    """16-bit little-endian samples."""
    return (np.clip(samples, -1, 1) * FULL_SCALE).round().astype("<i2").tobytes()


class Outlet(io.RawIOBase):
    """A file that is read as fast as it is written: what a library writes, a stream sends.

    What is written over bytes that were sent already, as sizes in a header, is dropped.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waiting = bytearray()
        self.position = self.end = 0

    def writable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is, to libraries that go back to their headers."""
        return True

    def tell(self) -> int:
        """Where the next byte goes."""
        return self.position

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a position from the start, from here, or from the end."""
        self.position = offset + (0, self.position, self.end)[whence]
        return self.position

    def write(self, data: Any, /) -> int:
        """Take bytes."""
        new = bytes(data)[max(0, self.end - self.position) :]
        self.waiting += new
        self.position += len(data)
        self.end += len(new)
        return len(data)

    def drain(self) -> bytes:
        """What was written since the last call."""
        taken, self.waiting = bytes(self.waiting), bytearray()
        return taken


def mp3_frame_bytes(head: bytes) -> int:
    """Length of the MPEG layer III frame that begins with these bytes (ISO 11172-3, 13818-3)."""
    version_1 = bool(head[1] & 0x08)
    kilobits = (MPEG_1_KILOBITS if version_1 else MPEG_2_KILOBITS)[head[2] >> 4]
    rate = (44_100, 48_000, 32_000)[head[2] >> 2 & 3]
    if not version_1:
        rate //= 2 if head[1] & 0x10 else 4
    padding = head[2] >> 1 & 1
    return (144 if version_1 else 72) * kilobits * 1000 // rate + padding


def id3_bytes(data: bytes) -> int:
    """Length of the ID3 tag that begins a file, 0 if there is none (id3.org, ID3v2.3.0, 3.1)."""
    if not data.startswith(b"ID3"):
        return 0
    return ID3_HEADER + sum((data[6 + place] & 127) << (21 - 7 * place) for place in range(4))


class PcmEncoder:
    """Plain samples, after a header if one is wanted."""

    def __init__(self, head: bytes = b"") -> None:
        self.head = head

    def push(self, samples: Samples) -> bytes:
        """Take samples; what can be sent by now."""
        head, self.head = self.head, b""
        return head + as_pcm(samples)

    def finish(self) -> bytes:
        """What is left."""
        return b""


class WholeEncoder:
    """A file whose header needs its length: nothing leaves before the end."""

    def __init__(self, format_name: str, rate_hz: int, comment: str) -> None:
        self.suffix, self.rate_hz, self.comment = f".{format_name}", rate_hz, comment
        self.parts: list[Samples] = []

    def push(self, samples: Samples) -> bytes:
        """Take samples."""
        self.parts.append(samples)
        return b""

    def finish(self) -> bytes:
        """The whole file."""
        samples = np.concatenate(self.parts) if self.parts else np.zeros(0, np.float32)
        return encode(Audio(samples=samples, rate_hz=self.rate_hz), self.suffix, self.comment)


class SoundfileEncoder:
    """MP3 and Opus by libsndfile.

    An MP3 begins with a frame that holds its length once the file is closed. A stream cannot go
    back to it, so that frame is left out: readers then count frames. What stands before it (ID3
    with the comment) stays.
    """

    def __init__(self, format_name: str, rate_hz: int, comment: str) -> None:
        self.outlet: Any = Outlet()  # soundfile's types know paths only
        container, subtype = LIBSNDFILE[format_name]
        constant = CONSTANT_RATE if format_name == "mp3" else {}
        self.file = soundfile.SoundFile(
            self.outlet, "w", rate_hz, 1, subtype, format=container, **constant
        )
        if comment:
            self.file.comment = comment
        self.has_length_frame = format_name == "mp3"

    def drain(self) -> bytes:
        """What can be sent by now, without the frame that would tell the length."""
        data = self.outlet.drain()
        if self.has_length_frame and data:
            self.has_length_frame = False
            frame = id3_bytes(data)
            return data[:frame] + data[frame + mp3_frame_bytes(data[frame:]) :]
        return data

    def push(self, samples: Samples) -> bytes:
        """Take samples; what can be sent by now."""
        self.file.write(np.clip(samples, -1, 1))
        self.file.flush()
        return self.drain()

    def finish(self) -> bytes:
        """What is left."""
        self.file.close()
        return self.drain()


class AacEncoder:
    """AAC in ADTS frames by PyAV."""

    def __init__(self, rate_hz: int) -> None:
        av: Any = require("av", "serve-aac")
        self.av, self.outlet = av, Outlet()
        self.container = av.open(self.outlet, "w", format="adts")
        self.stream = self.container.add_stream("aac", rate=rate_hz, layout="mono")
        self.rate_hz, self.written = rate_hz, 0

    def push(self, samples: Samples) -> bytes:
        """Take samples; what can be sent by now."""
        if len(samples):
            plain = np.frombuffer(as_pcm(samples), "<i2")[None]
            frame = self.av.AudioFrame.from_ndarray(plain, format="s16", layout="mono")
            frame.sample_rate, frame.pts = self.rate_hz, self.written
            self.written += len(samples)
            self.container.mux(self.stream.encode(frame))
        return self.outlet.drain()

    def finish(self) -> bytes:
        """What is left."""
        self.container.mux(self.stream.encode(None))
        self.container.close()
        return self.outlet.drain()


Encoder = PcmEncoder | WholeEncoder | SoundfileEncoder | AacEncoder  # samples in, bytes out


def encoder_for(format_name: str, rate_hz: int, *, streamed: bool, mark: bool = True) -> Encoder:
    """The encoder of a format.

    Args:
        format_name: one of ``CONTENT_TYPES``.
        rate_hz: samples a second.
        streamed: the client asked for a stream, so a WAV shall not wait for its length.
        mark: say in the file that its speech is artificial, where the format has a place for it.

    Raises:
        HTTPError: 400, the format cannot have this rate, or its package is not installed.
    """
    check_rate(format_name, rate_hz)
    comment = mark_or_nothing(mark)
    match format_name:
        case "pcm":
            return PcmEncoder()
        case "wav" if streamed:
            return PcmEncoder(header(rate_hz, comment))
        case "wav" | "flac":
            return WholeEncoder(format_name, rate_hz, comment)
        case "aac":
            try:
                return AacEncoder(rate_hz)
            except MissingExtraError as missing:
                raise HTTPError(400, str(missing), "format_missing", "response_format") from missing
        case _:
            return SoundfileEncoder(format_name, rate_hz, comment)


class Resampler:
    """A stream of samples at another rate; the same rate passes through untouched."""

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self.stream = None if from_hz == to_hz else soxr.ResampleStream(from_hz, to_hz, 1)

    def push(self, samples: Samples, last: bool = False) -> Samples:
        """Take samples; those that are settled by now."""
        if self.stream is None:
            return samples
        return self.stream.resample_chunk(samples.astype(np.float32, copy=False), last=last)
