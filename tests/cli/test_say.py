"""mamtra say: what it writes where, and how it ends."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from exit_code import ended

import mamtra
from mamtra.audio.joiner import PARAGRAPH_PAUSE_SECONDS, PAUSE_SECONDS
from mamtra.errors import GenerationError
from mamtra.synthesis.options import SpeakOptions
from mamtra.synthesis.speech import Speech
from mamtra.synthesis.synthesizer import Synthesizer


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_sentence_becomes_a_file_and_stdout_stays_empty(
    tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(["say", "Hello.", "-o", "a.wav", *tiny]) == 0
    captured = capsys.readouterr()
    assert not captured.out
    assert captured.err.startswith("a.wav: ")
    samples, rate = soundfile.read("a.wav")
    assert rate == 16_000
    assert len(samples)


def test_without_o_the_file_is_speech_wav_and_quiet_says_nothing(
    tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(["say", "Hello.", "-q", *tiny]) == 0
    assert Path("speech.wav").exists()
    assert capsys.readouterr() == ("", "")


def test_json_is_one_line_with_the_facts(
    tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(["say", "Hello.", "-o", "a.flac", "--voice", "high", "--json", *tiny]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["path"] == "a.flac"
    assert told["seconds"] == pytest.approx(soundfile.info("a.flac").duration, abs=1e-3)
    assert set(told["compute_seconds"]) == {"text", "speech_lm", "decoder", "vocoder"}
    assert len(told["state_bytes"]) == told["pieces"] == 1
    assert told["state_bytes"][0] > 0


def test_dashes_read_stdin_and_write_a_whole_wav_to_stdout(
    tiny: list[str], monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("Hello.\n"))
    assert ended(["say", "-", "-o", "-", *tiny]) == 0
    piped, rate = soundfile.read(io.BytesIO(capfdbinary.readouterr().out))
    assert ended(["say", "Hello.", "-o", "a.wav", *tiny]) == 0
    np.testing.assert_array_equal(piped, soundfile.read("a.wav")[0])
    assert rate == 16_000


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["say", ""], 4, "the text is empty"),
        (["say", "..."], 4, "can be spoken"),
        (["say", "Hi.", "--voice", "nobody"], 5, "unknown voice 'nobody'; model 'tiny' has: high"),
        (["say", "Hi.", "-o", "no/such/a.wav"], 7, "there is no folder 'no/such'"),
        (["say", "Hi.", "-o", ""], 7, "the name of the sound file is empty; give one"),
        (["say", "Hi.", "-o", f"{'a' * 300}.wav"], 7, "file name too long; give another name"),
        (["say", "Hi.", "-o", "a.txt"], 7, "suffix must be one of"),
        (["say", "Hi.", "-o", "-", "--json"], 2, "both write to standard output"),
    ],
)
def test_a_mistake_is_one_clear_sentence_and_a_fixed_code(
    arguments: list[str],
    code: int,
    reason: str,
    tiny: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ended([*arguments, *tiny]) == code
    captured = capsys.readouterr()
    assert not captured.out
    assert reason in captured.err
    assert "Traceback" not in captured.err
    if code != 2:
        assert captured.err.startswith("error: ")
        assert captured.err.count("\n") == 1
    assert not list(Path().iterdir())


def test_an_unknown_model_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(["say", "Hi.", "--model", "nothing"]) == 6
    assert "error: unknown model 'nothing'" in capsys.readouterr().err


def test_a_file_is_spoken_and_the_name_of_one_is_noticed(
    tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("chapter.txt").write_text("Hello there.\n", encoding="utf-8")
    assert ended(["say", "--file", "chapter.txt", "-o", "a.wav", "--json", *tiny]) == 0
    assert json.loads(capsys.readouterr().out)["text"] == "Hello there."
    assert ended(["say", "chapter.txt", "-o", "b.wav", *tiny]) == 0
    assert "note: chapter.txt is a file; to say what is in it: --file" in capsys.readouterr().err
    Path("latin.txt").write_bytes(b"caf\xe9")
    Path("dash.txt").write_text("-", encoding="utf-8")  # not standard input
    for arguments, reason in (
        (["--file", "latin.txt"], "not UTF-8"),
        (["--file", "none.txt"], "cannot read 'none.txt'"),
        (["--file", "dash.txt"], "nothing in '-' can be spoken"),
        (["Hello.", "--file", "chapter.txt"], "give one of them"),
    ):
        assert ended(["say", *arguments, *tiny]) == 4
        assert reason in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs fifos")
def test_a_fifo_gets_the_sound_and_a_link_stays_a_link(tiny: list[str]) -> None:
    os.mkfifo("pipe.wav")
    Path("real.wav").write_bytes(b"old")
    Path("link.wav").symlink_to("real.wav")
    assert ended(["say", "Hello.", "-o", "link.wav", "-q", *tiny]) == 0
    assert Path("link.wav").is_symlink()
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(Path("pipe.wav").read_bytes()))
    reader.start()
    assert ended(["say", "Hello.", "-o", "pipe.wav", "-q", *tiny]) == 0
    reader.join(60)
    assert Path("pipe.wav").is_fifo()
    assert received == [Path("real.wav").read_bytes()]


TWO_PIECES = f"{'This is the first sentence of two, and it fills a piece.'} " * 2


@pytest.mark.parametrize(
    ("problem", "code"), [(KeyboardInterrupt(), 130), (GenerationError("it stuck"), 10)]
)
def test_what_was_finished_is_kept_when_a_later_piece_fails(
    problem: BaseException,
    code: int,
    tiny: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    speak = Synthesizer.speak

    def fail_late(self: Synthesizer, text: object, options: SpeakOptions) -> Iterator[Speech]:
        yield next(speak(self, [["Hello."]], options))
        raise problem

    monkeypatch.setattr(Synthesizer, "speak", fail_late)
    assert ended(["say", TWO_PIECES, "-o", "a.wav", *tiny]) == code
    assert len(soundfile.read("a.wav")[0])
    assert "1 of 2 pieces, not the whole text" in capsys.readouterr().err


@pytest.mark.parametrize("more", [[], ["--stream"]])
def test_speech_that_did_not_end_by_itself_is_kept_and_told(
    more: list[str],
    tiny_model_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    endless = shutil.copytree(tiny_model_folder, tmp_path / "endless")
    config = json.loads((endless / "config.json").read_text())
    config["guard"] |= {"min_per_text_token": 2.0, "max_per_text_token": 2.0, "spare_tokens": 0}
    (endless / "config.json").write_text(json.dumps(config))
    assert ended(["say", "Hello there.", "--model", str(endless), "-o", "a.wav", *more]) == 10
    talk = capsys.readouterr().err
    assert talk.splitlines()[-1].startswith("error: a.wav is written, but the speech reached the")
    assert len(soundfile.read("a.wav")[0])


def test_paragraphs_pause_and_the_state_is_a_choice(
    tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    two = TWO_PIECES.strip()
    for name, text, more in (
        ("one.wav", two, []),
        ("two.wav", two.replace(". ", ".\n\n"), []),
        ("carry.wav", two, ["--state", "carry"]),
    ):
        assert ended(["say", text, "-o", name, "--seed", "2", *more, *tiny]) == 0
    talk = capsys.readouterr().err
    one, apart, carried = (soundfile.read(f"{name}.wav")[0] for name in ("one", "two", "carry"))
    longer = PARAGRAPH_PAUSE_SECONDS - PAUSE_SECONDS["."]
    assert (len(apart) - len(one)) / 16_000 == pytest.approx(longer, abs=1e-3)
    assert carried.shape != one.shape or not np.array_equal(carried, one)
    assert talk.count("note: this model does not read prompts") == 1
    assert ended(["say", two, "--state", "some", *tiny]) == 3
    assert "possible are fresh, carry" in capsys.readouterr().err


@pytest.fixture
def interruptible() -> Iterator[None]:
    """What a shell starts in the background ignores interrupts, and so would its children."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_from_outside_ends_with_130_and_keeps_what_was_spoken(tiny: list[str]) -> None:
    command = [sys.executable, "-m", "mamtra", "say", "-", "--stream", "-o", "-", *tiny]
    environment = {**os.environ, "PYTHONPATH": str(Path(mamtra.__file__).parents[1])}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"This is one of many sentences that take a while.\n" * 300)
        process.stdin.close()
        process.stdin = None
        heard = process.stdout.read(1000)  # it speaks, and waits where nobody takes more
        process.send_signal(signal.SIGINT)
        rest, talk = process.communicate(timeout=120)
    assert process.returncode == 130, talk
    assert b"Traceback" not in talk
    assert heard.startswith(b"RIFF")
    assert len(heard + rest) % 2 == 0


def test_words_are_written_with_their_times(tmp_path: Path, tiny: list[str]) -> None:
    pytest.importorskip("pocketsphinx")
    output, times = tmp_path / "a.wav", tmp_path / "words.json"
    told = ["-o", str(output), "--timestamps", str(times), *tiny, "-q"]
    assert ended(["say", "Good morning.", *told]) == 0
    assert json.loads(times.read_text())["method"] == "pocketsphinx"


@pytest.mark.parametrize(
    ("name", "code", "reason"),
    [("words.doc", 3, ".vtt"), ("none/words.srt", 7, "there is no folder")],
)
def test_word_times_that_cannot_be_written_are_refused_before_speaking(
    name: str,
    code: int,
    reason: str,
    tmp_path: Path,
    tiny: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    output, times = tmp_path / "a.wav", tmp_path / name
    told = ["-o", str(output), "--timestamps", str(times), *tiny]
    assert ended(["say", "Good morning.", *told]) == code
    assert reason in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
def test_files_say_that_their_speech_is_artificial_unless_told_not_to(
    tiny: list[str], suffix: str
) -> None:
    assert ended(["say", "Hello.", "-o", f"marked{suffix}", *tiny]) == 0
    assert ended(["say", "Hello.", "--no-mark", "-o", f"plain{suffix}", *tiny]) == 0
    with (
        soundfile.SoundFile(f"marked{suffix}") as marked,
        soundfile.SoundFile(f"plain{suffix}") as plain,
    ):
        assert "trainedAlgorithmicMedia" in marked.comment
        assert not plain.comment
        assert np.array_equal(marked.read(), plain.read())
