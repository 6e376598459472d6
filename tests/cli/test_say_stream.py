"""mamtra say --stream: sound that leaves while it is made, text that is read as it comes."""

import io
import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from exit_code import ended

import mamtra
from mamtra.audio.file_writer import GrowingSound
from mamtra.audio.pipe_writer import PipedSound
from mamtra.cli.say_stream import write_stream
from mamtra.errors import AudioError, GenerationError
from mamtra.synthesis.stream import AudioPiece

RATE = 16_000


@pytest.fixture
def tiny(tiny_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    return ["--stream", "--model", str(tiny_model_folder)]


def give(monkeypatch: pytest.MonkeyPatch, text: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text), "utf-8"))


def piece(samples: int = 800) -> AudioPiece:
    return AudioPiece(samples=np.full(samples, 0.5, np.float32), rate=RATE, piece=0)


def test_a_file_holds_the_sound_and_json_tells_the_time_to_the_first_audio(
    tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(["say", "Hello there. You too, I hope, and all of us.", "--json", *tiny]) == 0
    told = json.loads(capsys.readouterr().out)
    samples, rate = soundfile.read("speech.wav")
    assert rate == RATE
    assert len(samples) / rate == pytest.approx(told["seconds"], abs=1e-3)
    assert 0 < told["first_audio_seconds"] <= told["spoken_in_seconds"]


@pytest.mark.parametrize("arrives", [True, False])
def test_json_tells_what_was_left_out(
    tiny: list[str],
    arrives: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = "Hello 😀 there.\nAnd you, мир.\nAnd 😁 us.\n"
    give(monkeypatch, text.encode())
    assert ended(["say", "-" if arrives else text, "--json", "--quiet", *tiny]) == 0
    notes = json.loads(capsys.readouterr().out)["notes"]
    assert sorted(note.partition(":")[0] for note in notes) == [
        "left out, there are no words for",
        "left out, this model reads Latin letters only",
    ]


def test_standard_output_is_one_wav_of_unknown_length(
    tiny: list[str], capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    give(monkeypatch, b"Hello there.\nAnd you.\n")
    assert ended(["say", "-", "-o", "-", *tiny]) == 0
    captured = capfdbinary.readouterr()
    out = captured.out
    assert out.count(b"RIFF") == out.count(b"data") == 1
    assert out[:4] == b"RIFF"
    head = out.index(b"data") + 8
    assert struct.unpack("<I", out[4:8]) == struct.unpack("<I", out[head - 4 : head])
    assert struct.unpack("<I", out[4:8]) == (0xFFFFFFFF,)
    samples, rate = soundfile.read(io.BytesIO(out))
    assert (rate, len(samples)) == (RATE, (len(out) - head) // 2)
    assert np.abs(samples).max() > 1e-3
    assert captured.err.startswith(b"-: ")


def test_a_line_is_spoken_before_the_next_is_read(tiny: list[str]) -> None:
    from mamtra.synthesis.load import load

    read = []

    def lines() -> Iterator[str]:
        for line in ("Hello there.\n", "And you.\n"):
            read.append(line)
            yield line

    flow = load(tiny[-1]).stream(lines())
    assert len(next(flow).samples)
    assert read == ["Hello there.\n"]


@pytest.mark.parametrize(
    "problem", [KeyboardInterrupt(), GenerationError("the model said nothing")]
)
def test_an_interrupted_stream_leaves_a_playable_file(
    tmp_path: Path, problem: BaseException
) -> None:
    def flow() -> Iterator[AudioPiece]:
        yield piece()
        raise problem

    with GrowingSound(tmp_path / "a.wav", RATE) as file:
        written, _ = write_stream(flow(), file)
    assert written.problem is problem
    assert len(soundfile.read(tmp_path / "a.wav")[0]) == 800


def test_ctrl_c_ends_with_130_and_what_was_heard_is_kept(
    tiny: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mamtra.synthesis.synthesizer import Synthesizer

    def stopped(*arguments: object, **options: object) -> Iterator[AudioPiece]:
        yield piece()
        raise KeyboardInterrupt

    monkeypatch.setattr(Synthesizer, "stream", stopped)
    assert ended(["say", "Hello.", *tiny]) == 130
    assert len(soundfile.read("speech.wav")[0]) == 800


@pytest.mark.skipif(os.name != "posix", reason="pipes of Unix")
def test_a_listener_who_goes_away_ends_the_stream_quietly(tiny: list[str]) -> None:
    reading, writing = os.pipe()
    environment = {**os.environ, "PYTHONPATH": str(Path(mamtra.__file__).parents[1])}
    pipe = subprocess.PIPE
    command = [sys.executable, "-m", "mamtra", "say", "-", "-o", "-", *tiny]
    with subprocess.Popen(
        command, stdin=pipe, stdout=writing, stderr=pipe, env=environment
    ) as process:
        os.close(writing)
        assert process.stdin is not None
        process.stdin.write(b"Hello there.\n")
        process.stdin.flush()
        heard = os.read(reading, 100)
        os.close(reading)
        _, talk = process.communicate(b"And you.\nAnd all of us.\n", timeout=120)
    assert heard.startswith(b"RIFF")
    assert (process.returncode, talk) == (141, b"")


def test_a_stream_is_closed_when_nobody_listens() -> None:
    closed = []

    class Gone(io.BytesIO):
        def write(self, data: object) -> int:
            raise BrokenPipeError

    def flow() -> Iterator[AudioPiece]:
        try:
            while True:
                yield piece()
        finally:
            closed.append(True)

    with pytest.raises(BrokenPipeError):
        write_stream(flow(), PipedSound(Gone(), RATE))
    assert closed == [True]


def test_samples_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(AudioError, match="NaN"):
        PipedSound(io.BytesIO(), RATE).write(np.array([np.nan], np.float32))


def test_a_stream_cannot_carry_the_state(
    tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(["say", "Hello.", "--state", "carry", *tiny]) == 2
    assert "leave --state out" in capsys.readouterr().err
