"""What must hold however often it is asked: many threads at once, many calls, kills anywhere."""

import json
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

if sys.platform != "linux":
    pytest.skip("uses fork and /proc of Linux", allow_module_level=True)

import mamtra
from mamtra.cli.main import main

CONCURRENT, KILLS, CALLS = 200, 40, 500
WARM_CALLS = 100  # caches are full after so many
SPARE_BYTES = 4 << 20  # that a process may grow by chance, by pieces of its heap
EVENTS = "events"  # the file in which a run that was not killed leaves their number
LINES = [{"text": "One two."}, {"text": "Three."}, {"text": "Four five six."}, {"text": "Seven."}]


def resident_bytes() -> int:
    """What this process holds in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


@pytest.mark.parametrize(
    "model", ["tiny", pytest.param("nano", marks=pytest.mark.slow)], ids=["tiny", "nano"]
)
def test_200_concurrent_calls_say_what_they_say_alone(model: str, tiny_model_folder: Path) -> None:
    synthesizer = mamtra.load(tiny_model_folder if model == "tiny" else model)
    texts = [f"Say {number}." for number in range(20)]
    alone = [synthesizer.say(text, seed=seed).samples for seed, text in enumerate(texts)]
    calls = list(enumerate(texts)) * (CONCURRENT // len(texts))
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(lambda call: synthesizer.say(call[1], seed=call[0]), calls))
    assert len(together) == CONCURRENT
    for (seed, _), speech in zip(calls, together, strict=True):
        np.testing.assert_array_equal(speech.samples, alone[seed])


@pytest.mark.parametrize(
    "model", ["tiny", pytest.param("nano", marks=pytest.mark.slow)], ids=["tiny", "nano"]
)
def test_memory_is_flat_over_500_calls(model: str, tiny_model_folder: Path) -> None:
    synthesizer = mamtra.load(tiny_model_folder if model == "tiny" else model)
    held = 0
    for number in range(CALLS):
        if number == WARM_CALLS:
            held = resident_bytes()
        synthesizer.say("Hi.", seed=number % 7)
    assert resident_bytes() - held < SPARE_BYTES


def batch(folder: Path, model: list[str], kill_at: int = 0) -> int:
    """Speak the batch in a child; its exit status. It kills itself at an event of that number."""
    child = os.fork()
    if not child:
        events = 0

        def count(event: str, _: object) -> None:
            nonlocal events
            if event.startswith(("open", "os.")):
                events += 1
                if events == kill_at:
                    os.kill(os.getpid(), signal.SIGKILL)

        os.chdir(folder)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        sys.addaudithook(count)
        try:
            main(["say", "--batch", "lines.jsonl", "-o", "out", "--rows", "2", "-q", *model])
        except SystemExit as ended:
            Path(EVENTS).write_text(str(events))
            os._exit(int(ended.code or 0))
        finally:
            os._exit(99)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def files_of(folder: Path) -> dict[str, bytes]:
    """The sounds of a finished batch."""
    return {path.name: path.read_bytes() for path in sorted((folder / "out").glob("*.wav"))}


def begin(folder: Path) -> Path:
    """A folder with the lines of the batch."""
    folder.mkdir()
    (folder / "lines.jsonl").write_text("".join(json.dumps(line) + "\n" for line in LINES))
    return folder


@pytest.mark.parametrize(
    "kills", [4, pytest.param(KILLS, marks=pytest.mark.slow)], ids=["few", "all"]
)
def test_a_batch_killed_anywhere_goes_on_to_the_same_bytes(
    kills: int, tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mamtra.load(tiny[1])  # what a run imports is imported before the forks
    whole = begin(tmp_path / "whole")
    assert batch(whole, tiny) == 0
    expected = files_of(whole)
    assert len(expected) == len(LINES)
    killed, events = 0, int((whole / EVENTS).read_text())
    for number in range(kills):
        folder = begin(tmp_path / f"killed-{number}")
        killed += batch(folder, tiny, (number + 1) * events // (kills + 1)) == -signal.SIGKILL
        assert batch(folder, tiny) == 0
        assert files_of(folder) == expected
        assert not list((folder / "out").glob(".*.partial"))
    assert killed > kills / 2
