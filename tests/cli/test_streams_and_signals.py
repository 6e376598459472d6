"""What the system does to a command: streams closed, full or unread, signals, wrong calls."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from exit_code import ended

from mamtra.cli import signals

pytestmark = pytest.mark.skipif(os.name != "posix", reason="shells and signals of Unix")
PROGRAM = f"{sys.executable} -m mamtra"
FULL = Path("/dev/full")


@pytest.fixture(autouse=True)
def usual_signals() -> Iterator[None]:
    """Nothing ignored, as in a terminal; a test run in the background ignores SIGINT."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def shell(command: str) -> tuple[int, str]:
    """Exit code and standard error of a line for bash's cousin sh."""
    done = subprocess.run(
        ["sh", "-c", command.replace("mamtra", PROGRAM, 1)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("mamtra --version >&-", 1, "error: standard output: it is closed\n"),
        ("mamtra --version <&- 2>&-", 0, ""),
        ("mamtra voices --model nothing 2>&-", 6, ""),
        ("mamtra voices --model nothing >&- <&-", 6, None),
        pytest.param(
            "mamtra --version > /dev/full",
            1,
            None,
            marks=pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here"),
        ),
    ],
)
def test_closed_and_full_streams_end_in_one_sentence(line, code, message) -> None:
    status, told = shell(line)
    assert status == code
    assert told.count("\n") <= 1
    assert message is None or told == message


def test_a_reader_who_went_away_is_no_traceback() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "mamtra", "--version"],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_each_signal_interrupts_once_in_a_burst_and_is_reported(name: str) -> None:
    number = getattr(signal, name)
    before = signal.getsignal(number)
    with signals.interrupting_signals() as received:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        signal.raise_signal(number)
        signal.raise_signal(signal.SIGINT)
    assert received.exit_code == 128 + number
    assert signal.getsignal(number) is before


def test_a_later_signal_interrupts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 10.5, 12.0])
    monkeypatch.setattr(signals.time, "monotonic", lambda: next(clock))
    with signals.interrupting_signals():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)


def test_what_nohup_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals.interrupting_signals() as received:
            signal.raise_signal(signal.SIGHUP)
        assert received.exit_code == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_forked_process_dies_of_a_signal_as_usual() -> None:
    with signals.interrupting_signals():
        child = os.fork()
        if not child:
            os.kill(os.getpid(), signal.SIGTERM)
            os._exit(3)
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGTERM


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sya", "hello"], "no such command 'sya'; did you mean 'say'; see: mamtra --help"),
        (["say"], "give a text"),
        (["say", "a", "--sede", "1"], "no such option: --sede"),
        (["say", "-5 degrees"], 'goes behind -- at the end (mamtra say -o a.wav -- "-5 degrees")'),
        (["say", "--Hello there"], "no such option: --Hello there; a text that begins with a dash"),
        (["say", "a", "--seed", "abc"], "'--seed': 'abc' is not a whole number; see"),
        (["say", "a", "--speed", "fast"], "'--speed': 'fast' is not a number; see"),
        (["say", "Hello", "there"], 'put the text into quotes: mamtra say "Hello there."'),
        (["voice", "list"], "there is no command 'voice list'; you may mean: mamtra voices"),
        (["voices", "--model"], "option '--model' requires an argument; see: mamtra voices --help"),
    ],
)
def test_wrong_usage_is_one_sentence(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(words) == 2
    captured = capsys.readouterr()
    assert not captured.out
    assert captured.err.startswith("error: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    "words", [["-h"], ["help"], ["say", "-h"], ["help", "say"], ["voice", "make", "-h"]]
)
def test_help_is_given_however_it_is_asked_for(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(words) == 0
    assert "Usage: mamtra" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        (OSError(36, "File name too long", "a" * 5000), "ile name too long"),
        (OSError(24, "Too many open files", "x.wav"), "error: x.wav: too many open files"),
        (OSError(28, "No space left on device"), "not everything was written: no space left"),
        (MemoryError(), "not enough memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "not enough memory"),
        (RecursionError("maximum"), "nested too deeply"),
        (RuntimeError("can't start new thread"), "the system gives no further thread"),
    ],
)
def test_what_the_system_refuses_is_one_short_sentence(
    problem: Exception,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(*_: object) -> None:
        raise problem

    monkeypatch.setattr("mamtra.cli.main.program", refuse)
    assert ended(["voices"]) == 1
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1
    assert len(told) < 1600
