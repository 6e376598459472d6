"""What the server logs: a line a text, and never a word of one."""

import logging
import sys
from pathlib import Path

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from test_processes import serving

from mamtra.errors import TextError
from mamtra.server.private_log import PrivateFormatter

NOTED = "The word Пароль and <ssn123> are told 😀."
# the second paragraph fails after the first one is heard: its pause is none
FAILING = "A first sentence is heard. " * 8 + "\n\nThen [pause:s3cr3t] is not."


def test_no_word_of_a_text_is_logged(tiny_model_folder: Path) -> None:
    with serving(tiny_model_folder) as process:
        assert process.ask(NOTED).read()
        process.wait_for_lines(f"{len(NOTED)} characters", 1)
        answer = process.ask(FAILING)
        with pytest.raises(Exception, match="IncompleteRead"):
            answer.read()
        process.wait_for_lines("TextError", 2)
        process.popen.terminate()
        process.popen.wait(60)
    logged = "".join(process.lines)
    for word in ("Пароль", "ssn123", "😀", "s3cr3t", "first sentence"):
        assert word not in logged


def test_an_error_is_logged_as_classes_and_lines_of_code() -> None:
    word = "sec" + "ret"
    try:
        try:
            raise KeyError(word)
        except KeyError as missing:
            raise TextError(f"no {word} here") from missing
    except TextError:
        record = logging.LogRecord("a", logging.ERROR, "", 0, "req_1 failed", None, sys.exc_info())
    told = PrivateFormatter().format(record)
    assert word not in told
    assert told.startswith("req_1 failed\n")
    assert told.index("builtins.KeyError") < told.index("mamtra.errors.TextError")
    assert Path(__file__).name in told
