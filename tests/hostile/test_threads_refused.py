"""Commands where the system gives no further thread: they do without, or say so in one sentence."""

import sys
import threading
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("forks", allow_module_level=True)

from forked import forked

REFUSED = "the system gives no further thread"


def refuse_threads() -> None:
    """Let no thread start from now on, as a limit of processes does."""

    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    threading.Thread.start = start


@pytest.mark.parametrize("more", [[], ["--stream"], ["--speed", "1.5"]])
def test_speech_needs_no_further_thread(tiny: list[str], tmp_path: Path, more: list[str]) -> None:
    out = tmp_path / "out.wav"
    arguments = ["say", "Hello there.", *tiny, "-o", str(out), *more]
    found = forked(refuse_threads, arguments, tmp_path / "told")
    assert found.accepted, found.told
    assert found.code in {0, 10}  # a tiny model seldom ends by itself
    assert out.stat().st_size > 1000


def test_a_server_that_gets_no_threads_says_so(tiny_model_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("uvicorn")
    arguments = ["serve", str(tiny_model_folder), "--port", "0"]
    found = forked(refuse_threads, arguments, tmp_path / "told")
    assert found.accepted, found.told
    assert found.code == 1
    assert REFUSED in found.told


def test_a_batch_over_processes_that_gets_no_threads_says_so(
    tiny: list[str], tmp_path: Path
) -> None:
    lines = tmp_path / "lines.jsonl"
    lines.write_text('{"id": "a", "text": "Hello."}\n{"id": "b", "text": "Good day."}\n')
    arguments = ["say", "--batch", str(lines), "-o", str(tmp_path / "out"), *tiny]
    found = forked(refuse_threads, [*arguments, "--workers", "2"], tmp_path / "told")
    assert found.accepted, found.told
    assert found.code != 0
