"""Sound in every format that clients ask for, whole and as a stream."""

import io

import numpy as np
import pytest
import soundfile

pytest.importorskip("starlette")

from mamtra.audio.mark import MARK
from mamtra.server.encoding import CONTENT_TYPES, Resampler, encoder_for
from mamtra.server.http_errors import HTTPError

RATE = 24_000
TIME = np.arange(2 * RATE) / RATE
HARMONICS = sum(np.sin(2 * np.pi * 130 * n * TIME) / n for n in range(1, 20))
SOUND = (0.2 * HARMONICS * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * TIME))).astype(np.float32)


def encoded(name: str, streamed: bool, size: int) -> list[bytes]:
    encoder = encoder_for(name, RATE, streamed=streamed)
    parts = [encoder.push(SOUND[at : at + size]) for at in range(0, len(SOUND), size)]
    return [*parts, encoder.finish()]


@pytest.mark.parametrize("name", ["wav", "flac", "mp3", "opus"])
@pytest.mark.parametrize("size", [777, len(SOUND)])
def test_a_reader_gets_the_sound_back(name: str, size: int) -> None:
    data = b"".join(encoded(name, streamed=False, size=size))
    samples, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    samples = samples if rate == RATE else samples[:: rate // RATE]
    assert abs(len(samples) / RATE - 2.0) < 0.12
    assert 0.9 < np.abs(samples).max() / np.abs(SOUND).max() < 1.2


def test_pcm_is_16_bit_little_endian() -> None:
    data = b"".join(encoded("pcm", streamed=True, size=500))
    assert np.abs(np.frombuffer(data, "<i2") / 32767 - SOUND).max() < 1e-4


@pytest.mark.parametrize("name", ["pcm", "mp3", "opus", "wav"])
def test_streams_begin_long_before_the_end(name: str) -> None:
    parts = encoded(name, streamed=True, size=RATE // 10)
    assert len(b"".join(parts[:15])) > 0


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 24_000, 44_100, 48_000])
def test_an_mp3_has_its_length_at_every_rate(rate: int) -> None:
    encoder = encoder_for("mp3", rate, streamed=True)
    data = encoder.push(SOUND[: 2 * rate]) + encoder.finish()
    assert b"Xing" not in data
    samples, found = soundfile.read(io.BytesIO(data), dtype="float32")
    assert found == rate
    assert abs(len(samples) - len(SOUND[: 2 * rate])) / rate < 0.3


@pytest.mark.parametrize("name", ["mp3", "opus"])
def test_pieces_equal_the_whole(name: str) -> None:
    # the serial number of an Ogg stream is random, so sound is compared
    whole, pieces = (
        soundfile.read(io.BytesIO(b"".join(encoded(name, True, size))), dtype="float32")[0]
        for size in (len(SOUND), 1_000)
    )
    assert len(whole) == len(pieces)
    assert np.abs(whole - pieces).max() < 1e-3


def test_a_streamed_wav_says_that_its_length_is_open() -> None:
    data = b"".join(encoded("wav", streamed=True, size=1_000))
    assert data[4:8] == b"\xff\xff\xff\xff"
    head = data.index(b"data") + 8
    assert data[head - 4 : head] == b"\xff\xff\xff\xff"
    assert len(data) == head + 2 * len(SOUND)


def test_a_whole_wav_has_true_sizes() -> None:
    data = b"".join(encoded("wav", streamed=False, size=1_000))
    assert int.from_bytes(data[4:8], "little") == len(data) - 8


def test_aac_comes_from_pyav_or_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(HTTPError, match="serve-aac") as refused:
        encoder_for("aac", RATE, streamed=True)
    assert refused.value.status == 400
    assert refused.value.param == "response_format"


def test_aac_can_be_decoded_again() -> None:
    av = pytest.importorskip("av")
    data = b"".join(encoded("aac", streamed=True, size=4_800))
    with av.open(io.BytesIO(data)) as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
    assert abs(samples / RATE - 2.0) < 0.15


@pytest.mark.parametrize(("name", "rate"), [("opus", 22_050), ("mp3", 10_000), ("aac", 10_000)])
def test_a_format_refuses_rates_that_it_does_not_know(name: str, rate: int) -> None:
    with pytest.raises(HTTPError, match="24000"):
        encoder_for(name, rate, streamed=True)


@pytest.mark.parametrize("name", CONTENT_TYPES)
def test_no_sound_at_all_is_still_a_file(name: str) -> None:
    if name == "aac":
        pytest.importorskip("av")
    encoder = encoder_for(name, RATE, streamed=False)
    assert isinstance(encoder.finish(), bytes)


@pytest.mark.parametrize("size", [100, 4_000])
def test_resampling_a_stream_keeps_its_length(size: int) -> None:
    resampler = Resampler(RATE, 16_000)
    parts = [resampler.push(SOUND[at : at + size]) for at in range(0, len(SOUND), size)]
    parts.append(resampler.push(SOUND[:0], last=True))
    assert abs(sum(map(len, parts)) - 32_000) <= 1


@pytest.mark.parametrize("name", ["wav", "flac", "mp3", "opus"])
@pytest.mark.parametrize("streamed", [False, True])
def test_files_say_that_their_speech_is_artificial(name: str, streamed: bool) -> None:
    data = b"".join(encoded(name, streamed=streamed, size=777))
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        assert file.comment == MARK
    encoder = encoder_for(name, RATE, streamed=streamed, mark=False)
    unmarked = encoder.push(SOUND) + encoder.finish()
    assert b"rtificial" not in unmarked
