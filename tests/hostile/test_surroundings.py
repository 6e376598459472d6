"""What stands around a command: names, numbers, full disks, too few files, signals."""

import io
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import soundfile

if sys.platform != "linux":
    pytest.skip("bounds memory by /proc and RLIMIT_AS", allow_module_level=True)

from outcome import Outcome, outcome

from mamtra.audio.file_writer import GrowingSound

CHAPTER = "One two three four. Five six seven. Eight nine ten eleven.\n\n" * 3


@contextmanager
def limited(what: int, soft: int) -> Iterator[None]:
    """A resource that is scarce for a while."""
    before = resource.getrlimit(what)
    resource.setrlimit(what, (soft, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(what, before)


@pytest.fixture
def say(tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Say a text with the tiny model; everything that it needs is imported."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Outcome:
        return outcome(["say", "--quiet", *tiny, *arguments])

    assert run("Hi.", "-o", "first.wav").code == 0
    return run


@pytest.mark.parametrize(
    ("arguments", "codes"),
    [
        (["Hi.", "-o", "a" * 300 + ".wav"], {1, 7}),
        (["Hi.", "-o", "a" * 250 + ".wav"], {0, 1, 7}),  # the file is written under a longer name
        (["Hi.", "-o", "a/" * 3000 + "b.wav"], {1, 7}),
        (["Hi.", "--voice", "v" * 5000], {5}),
        (["Hi.", "--voice", "v" * 300 + ".safetensors"], {5}),
        (["Hi.", "--model", "m" * 5000], {6}),
        (["Hi.", "--seed", str(2**64)], {0, 2, 3}),
        (["Hi.", "--seed", "9" * 400], {0, 2, 3}),
        (["Hi.", "--seed", "-1"], {2, 3}),
        (["Hi.", "--threads", "100000"], {0, 2, 3}),
        (["Hi.", "--threads", str(2**70)], {0, 2, 3}),
        (["Hi.", "--rows", "0", "--batch", "x"], {2}),
        (["\udcff\udcfe", "-o", "b.wav"], {4}),
        (["Hi \udcff there.", "-o", "c.wav"], {0, 4}),
        (["Hi.", "--voice", "\udcff"], {5}),
        (["Hi.", "--model", "\udcff"], {6}),
        (["Hi.", "-o", "\udcff.wav"], {0, 7}),
        (["Hi.", "--mode", "\udcff"], {2, 3}),
        (["Hi.", "-o", "."], {7}),
        (["Hi.", "-o", "/proc/nothing.wav"], {1, 7}),
        (["Hi.", "-o", "/dev/null/x.wav"], {7}),
        (["--batch", "first.wav", "-o", "folder"], {8}),
        (["--batch", "\udcff", "-o", "folder"], {8}),
        (["--batch", "n" * 300, "-o", "folder"], {1, 8}),
    ],
    ids=lambda value: None if isinstance(value, set) else ascii(value[1:])[:40],
)
def test_names_and_numbers_out_of_range_are_refused_in_a_sentence(
    say, arguments: list[str], codes: set[int]
) -> None:
    found = say(*arguments)
    assert found.accepted, found.told
    assert found.code in codes, found.told


def test_standard_input_that_is_no_text_is_refused(say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"caf\xe9 \xff"), "utf-8"))
    found = say("-", "-o", "x.wav")
    assert found.accepted, found.told
    assert found.code == 4


def test_a_full_disk_keeps_the_older_file(say, tmp_path: Path) -> None:
    whole = (tmp_path / "first.wav").read_bytes()
    with limited(resource.RLIMIT_FSIZE, 500):  # as a full disk: writing more fails
        found = say(CHAPTER, "-o", "first.wav")
    assert found.accepted, found.told
    assert found.code == 7
    kept = (tmp_path / "first.wav").read_bytes()
    assert kept == whole or soundfile.info(io.BytesIO(kept)).frames
    assert not list(tmp_path.glob(".*partial*"))


@pytest.mark.parametrize("spare", range(4))
def test_too_few_open_files_end_in_a_sentence(say, spare: int) -> None:
    with limited(resource.RLIMIT_NOFILE, len(list(Path("/proc/self/fd").iterdir())) + spare):
        found = say("Hi.", "-o", "first.wav")
    assert found.accepted, found.told


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_keeps_the_chapter(
    say, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, write = getattr(signal, name), GrowingSound.write
    monkeypatch.setattr(signal, "getsignal", lambda _: signal.SIG_DFL)  # nothing is ignored

    def write_and_signal(self: GrowingSound, samples) -> None:
        write(self, samples)
        for _ in range(3):  # an impatient user
            signal.raise_signal(number)

    monkeypatch.setattr(GrowingSound, "write", write_and_signal)
    found = say(CHAPTER, "-o", "chapter.wav")
    assert found.code == 128 + number, found.told
    assert soundfile.info(tmp_path / "chapter.wav").frames > 0
    assert not list(tmp_path.glob(".*partial*"))
