"""Half a download is told apart from a whole file, in every format."""

from pathlib import Path

import numpy as np
import pytest

from mamtra.audio.clip import FORMATS, Audio, write
from mamtra.audio.whole_file import read_whole
from mamtra.errors import AudioError

SOUND = Audio(samples=np.sin(np.arange(48_000, dtype=np.float32) / 20) / 2, rate_hz=16_000)


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_whole_file_is_read_and_half_a_file_is_refused(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"a{suffix}", SOUND)
    assert read_whole(path).seconds == pytest.approx(3.0, abs=0.1)
    content = path.read_bytes()
    for share in (0.3, 0.6, 0.9):
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(AudioError, match=r"its end is missing|cannot read"):
            read_whole(path)


def test_a_file_with_a_tag_before_it_is_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp3", SOUND)
    path.write_bytes(b"ID3\x04\x00\x00\x00\x00\x01\x00" + bytes(128) + path.read_bytes())
    assert read_whole(path).seconds > 2.9


def test_a_wav_of_unknown_length_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", SOUND)
    content = bytearray(path.read_bytes())
    content[4:8] = b"\xff" * 4
    path.write_bytes(content)
    assert read_whole(path).seconds == pytest.approx(3.0)
