"""Long texts: cut into paragraphs, carried or fresh, written in memory that does not grow."""

import gc
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

import mamtra
from mamtra.audio.file_writer import GrowingSound
from mamtra.checkpoints.locate import built_in
from mamtra.errors import AudioError, ConfigError, GenerationError, NothingToSpeakError, TextError
from mamtra.generation.request import Request
from mamtra.runtime.torch.malloc import CAPACITY, VARIABLE
from mamtra.speech_lm.prompt import speech_segment, text_segment
from mamtra.synthesis.conditioning import Conditioning
from mamtra.synthesis.long_text import Context, paragraphs, write_pieces
from mamtra.synthesis.options import SpeakOptions
from mamtra.synthesis.speech import ComputeSeconds, Speech, join
from mamtra.synthesis.synthesizer import Synthesizer
from mamtra.synthesis.text_reader import TextConfig
from mamtra.text.pauses import Passage

RATE = 16_000


@pytest.fixture(scope="module")
def synthesizer(tiny_model_folder: Path) -> Synthesizer:
    return mamtra.load(tiny_model_folder)


def piece(number: int, seconds: float = 0.5) -> Speech:
    time = np.arange(round(seconds * RATE)) / RATE
    sound = 0.4 * np.sin(2 * np.pi * (150 + 7 * number) * time)
    return Speech(
        samples=sound.astype(np.float32),
        rate=RATE,
        text=f"Piece {number}.",
        speech_tokens=[number] * 12,
        stop_reason="end",
        compute_seconds=ComputeSeconds(),
        ends_paragraph=number % 5 == 4,
        state_bytes=100 + number,
    )


def sentence(text: str) -> list[Passage]:
    """Cuts nothing; refuses text without letters."""
    if not any(map(str.isalpha, text)):
        raise NothingToSpeakError("nothing to speak")
    return [Passage(" ".join(text.split()))]


def test_paragraphs_end_at_empty_lines_and_wrapped_lines_do_not() -> None:
    text = "\nOne line,\nwrapped.\n\n\nTwo.\n  \t\nThree.\n * * *\n\n***\n\nFour.\n"
    assert paragraphs(text, sentence) == [
        [Passage("One line, wrapped.")],
        [Passage("Two.")],
        [Passage("Three. * * *")],
        [Passage("Four.")],
    ]
    with pytest.raises(TextError):
        paragraphs("***\n\n***", sentence)


def test_a_file_that_grows_holds_what_a_whole_one_would(tmp_path: Path) -> None:
    pieces = [piece(number) for number in range(12)]
    with GrowingSound(tmp_path / "grown.wav", RATE) as file:
        written = write_pieces(iter(pieces), file)
    whole = join(pieces)
    whole.save(tmp_path / "whole.wav", mark=False)
    assert (tmp_path / "grown.wav").read_bytes() == (tmp_path / "whole.wav").read_bytes()
    assert (written.pieces, written.speech_tokens) == (12, 144)
    assert written.seconds == pytest.approx(whole.seconds)
    assert written.state_bytes == [piece.state_bytes for piece in pieces]
    assert whole.state_bytes == max(written.state_bytes)


@pytest.mark.parametrize("suffix", [".flac", ".ogg", ".mp3"])
def test_every_format_can_grow(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    with GrowingSound(path, RATE) as file:
        written = write_pieces((piece(number) for number in range(3)), file)
    samples, rate = soundfile.read(path)
    assert rate == RATE
    assert len(samples) / rate == pytest.approx(written.seconds, abs=0.1)
    assert np.abs(samples).max() == pytest.approx(0.4, abs=0.1)


def most_held(pieces: int, path: Path) -> int:
    """Bytes of Python and numpy at most, while so many pieces of four seconds are written."""
    gc.collect()
    tracemalloc.start()
    with GrowingSound(path, RATE) as file:
        write_pieces((piece(number, 4.0) for number in range(pieces)), file)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_memory_does_not_grow_with_the_number_of_pieces(tmp_path: Path) -> None:
    most_held(2, tmp_path / "warm.wav")
    few, many = (most_held(count, tmp_path / f"{count}.wav") for count in (10, 40))
    # thirty pieces of four seconds would be 7.7 MB
    assert many - few < 100_000
    assert soundfile.info(tmp_path / "40.wav").duration > 160


CHAPTER = """
import sys, mamtra
from mamtra.corpus.synthetic.sentences import held_out_sentences
from mamtra.runtime.torch.malloc import CAPACITY, VARIABLE
from mamtra.synthesis.long_text import write_pieces
from mamtra.audio.file_writer import GrowingSound
synthesizer = mamtra.load("nano")
def resident():
    status = open("/proc/self/status").read()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024
held = []
def noted(spoken):
    for speech in spoken:
        held.append(resident())
        yield speech
with GrowingSound(sys.argv[1], synthesizer.rate) as file:
    write_pieces(noted(synthesizer.speak([held_out_sentences()[:40]])), file)
print(held[39] - held[9])
"""


@pytest.mark.slow
def test_the_process_does_not_grow_between_the_tenth_and_the_fortieth_piece(tmp_path: Path) -> None:
    if not Path("/proc/self/status").exists() or "nano" not in built_in():
        pytest.skip("needs /proc and nano")
    command = [sys.executable, "-c", CHAPTER, str(tmp_path / "chapter.wav")]
    environment = {**os.environ, "PYTHONPATH": str(Path(mamtra.__file__).parents[1])}
    environment.pop(VARIABLE, None)
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    # 26 MB before the kernels' cache was bounded, 2 MB since
    assert int(done.stdout) < 8e6


def test_loading_a_model_bounds_the_cache_of_kernels(
    tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    mamtra.load(tiny_model_folder)
    assert os.environ[VARIABLE] == str(CAPACITY)
    monkeypatch.setenv(VARIABLE, "7")
    mamtra.load(tiny_model_folder)
    assert os.environ[VARIABLE] == "7"


@pytest.mark.parametrize("problem", [GenerationError("stuck"), KeyboardInterrupt()])
def test_what_was_finished_stays_playable_when_the_rest_fails(
    tmp_path: Path, problem: BaseException
) -> None:
    def failing() -> Iterator[Speech]:
        yield piece(0)
        yield piece(1)
        raise problem

    path = tmp_path / "a.wav"
    with GrowingSound(path, RATE) as file:
        written = write_pieces(failing(), file, (KeyboardInterrupt, GenerationError))
    assert (written.pieces, written.problem) == (2, problem)
    assert soundfile.info(path).duration == pytest.approx(join([piece(0), piece(1)]).seconds)
    # an error that nobody expected is raised, and the file is there all the same
    with pytest.raises(type(problem)), GrowingSound(tmp_path / "b.wav", RATE) as file:
        write_pieces(failing(), file)
    assert (tmp_path / "b.wav").read_bytes() == path.read_bytes()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.wav", "b.wav"]


@pytest.mark.parametrize(("suffix", "kept"), [(".wav", True), (".flac", False)])
def test_a_disk_that_fills_leaves_the_old_file_or_a_playable_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, kept: bool
) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"old")
    file = GrowingSound(path, RATE)
    file.write(piece(0).samples)
    if not kept:  # what a full disk leaves of a compressed file
        file.file.close()
        file.partial.write_bytes(b"fLaC")
    monkeypatch.setattr(file, "file", FullDisk(file.file))
    with pytest.raises(AudioError, match="cannot write"):
        file.write(piece(1).samples)
    file.close()
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert (path.read_bytes() == b"old") != kept
    if kept:
        assert soundfile.info(path).duration == pytest.approx(0.5)


class FullDisk:
    """A sound file that takes no more."""

    def __init__(self, file: soundfile.SoundFile) -> None:
        self.file = file

    def write(self, samples: np.ndarray) -> None:
        raise OSError(28, "No space left on device")

    def close(self) -> None:
        self.file.close()


def test_nothing_spoken_leaves_no_file_and_an_old_one_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"old")
    with GrowingSound(path, RATE) as file:
        write_pieces(iter(()), file)
    assert path.read_bytes() == b"old"
    with pytest.raises(AudioError, match="NaN"), GrowingSound(path, RATE) as file:
        file.write(np.array([np.nan], np.float32))
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.wav"]
    with pytest.raises(AudioError, match="no folder"):
        GrowingSound(tmp_path / "no" / "a.wav", RATE)


def test_what_is_carried_is_read_as_words_said_before() -> None:
    context = Context()
    ask = Conditioning().request
    assert context.request([1, 2], 7, ask) == ask([1, 2], 7)
    context.add([1, 2], [10, 11, 12], "end")
    assert context.request([3], 8, ask) == Request.of([3], [1, 2], [10, 11, 12], seed=8)
    context.add([3], [13], "end")
    assert context.request([4], 9, ask) == Request.of([4], [1, 2, 3], [10, 11, 12, 13], seed=9)
    prompted = Conditioning(mode="zero-shot", text=(8,), speech=(20,))
    segments = context.request([4], 9, prompted.request).segments
    assert segments[1] == text_segment([8, 1, 2, 3, 4])
    assert segments[3:] == (speech_segment([20]), speech_segment([10, 11, 12, 13]))


def test_what_is_carried_is_bounded_and_a_failure_is_not() -> None:
    context = Context()
    for number in range(9):
        context.add([number], [number] * 100, "end")
    assert [text for text, _ in context.pieces] == [(7,), (8,)]
    context.add([1], [2] * 30, "repetition")
    assert not context.pieces


def test_the_first_piece_of_a_paragraph_knows_nothing_of_the_last(
    synthesizer: Synthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synthesizer, "text", TextConfig(piece_characters=12))
    spoken = [["Hello there.", "It was fine."], ["It was fine."]]

    def said(state: str) -> list[Speech]:
        return list(synthesizer.speak(spoken, SpeakOptions(seed=7, state=state)))

    fresh, carry = said("fresh"), said("carry")
    same = [a.speech_tokens == b.speech_tokens for a, b in zip(fresh, carry, strict=True)]
    assert same == [True, False, True]
    assert [speech.ends_paragraph for speech in fresh] == [False, True, True]
    assert carry[1].state_bytes > 0
    with pytest.raises(ConfigError, match="possible are fresh, carry"):
        said("half")


def test_a_seam_between_spoken_pieces_does_not_click(synthesizer: Synthesizer) -> None:
    pieces = ["Hello there.", "It was fine.", "We walked on."]
    speeches = list(synthesizer.speak([pieces], SpeakOptions(seed=3)))
    samples = join(speeches).samples
    quiet = np.flatnonzero(samples == 0)
    pauses = [
        run for run in np.split(quiet, np.flatnonzero(np.diff(quiet) > 1) + 1) if len(run) > 9
    ]
    assert len(pauses) == 2
    for run in pauses:
        around = samples[run[0] - 3 : run[-1] + 4]
        assert np.abs(np.diff(around)).max() < 0.01 * np.abs(samples).max()
