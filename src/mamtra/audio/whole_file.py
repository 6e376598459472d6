"""Whether a sound file is whole: half a download is often readable, and silently shorter.

Each format says in its own way how long it is: WAV and FLAC in their first bytes, MP3 in the tag of
its first frame if the encoder wrote one, OGG by a mark on its last page.
"""

from pathlib import Path

import soundfile

from mamtra.audio.clip import Audio, read
from mamtra.errors import AudioError

# a WAV begins with RIFF and the bytes that follow; these two stand for a length nobody knew
RIFF, RIFF_HEADER, UNKNOWN_LENGTHS = b"RIFF", 8, (0, 2**32 - 1)
OGG_PAGE, OGG_LAST = b"OggS", 4  # of the header type, the byte at 5: the last page of a stream
OGG_HEADER = 27  # bytes of a page before the lengths of its segments, whose number is the last
OGG_PAGE_BYTES = 65_307  # the most that a page can have (RFC 3533)
ID3, ID3_HEADER = b"ID3", 10
MP3_TAGS = (b"Xing", b"Info")  # in the first frame, behind 36 bytes at most
MP3_HAS_FRAMES, MP3_HAS_BYTES = 1, 2  # which fields follow the tag's flags


def wav_is_cut(path: Path) -> bool:
    """Whether a WAV is shorter than its header says."""
    with path.open("rb") as file:
        header = file.read(RIFF_HEADER)
    length = int.from_bytes(header[len(RIFF) :], "little")
    if len(header) < RIFF_HEADER or header[: len(RIFF)] != RIFF or length in UNKNOWN_LENGTHS:
        return False
    return path.stat().st_size < RIFF_HEADER + length


def ogg_is_cut(path: Path) -> bool:
    """Whether the last page of an OGG stream is missing."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - OGG_PAGE_BYTES))
        end = file.read()
    page = end[max(0, end.rfind(OGG_PAGE)) :]
    if len(page) < OGG_HEADER or not page.startswith(OGG_PAGE) or not page[5] & OGG_LAST:
        return True
    lengths = page[OGG_HEADER : OGG_HEADER + page[OGG_HEADER - 1]]
    return len(page) < OGG_HEADER + page[OGG_HEADER - 1] + sum(lengths)


def mp3_is_cut(path: Path) -> bool:
    """Whether an MP3 is shorter than the tag in its first frame says; False where there is none."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start, head = 0, file.read(ID3_HEADER)
        if head.startswith(ID3):  # four bytes of seven bits each
            start = ID3_HEADER + sum((head[6 + n] & 127) << (21 - 7 * n) for n in range(4))
        file.seek(start)
        frame = file.read(256)
    tag = next((at for name in MP3_TAGS if (at := frame.find(name)) >= 0), -1)
    if tag < 0 or len(frame) < tag + 16:
        return False
    flags = int.from_bytes(frame[tag + 4 : tag + 8], "big")
    if not flags & MP3_HAS_BYTES:
        return False
    at = tag + 8 + 4 * bool(flags & MP3_HAS_FRAMES)
    return size - start < int.from_bytes(frame[at : at + 4], "big")


CUT = {".wav": wav_is_cut, ".ogg": ogg_is_cut, ".opus": ogg_is_cut, ".mp3": mp3_is_cut}


def is_cut_short(path: Path) -> bool:
    """Whether the end of a sound file is missing, as far as its bytes tell.

    Raises:
        OSError: there is no such file.
    """
    check = CUT.get(path.suffix.lower())
    return check is not None and check(path)


def read_whole(path: Path) -> Audio:
    """Read a sound file that must be whole; several channels become their mean.

    Raises:
        AudioError: it cannot be read, or its end is missing.
    """
    missing = AudioError("its end is missing: the file is shorter than its header says")
    if path.is_file() and is_cut_short(path):
        raise missing
    audio = read(path)
    if path.suffix.lower() == ".flac" and len(audio.samples) < soundfile.info(path).frames:
        raise missing
    return audio
