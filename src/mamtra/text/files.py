"""Text from files and streams that may be of any length, or never end."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mamtra.errors import MamtraError, TextError

LONGEST_BYTES = 50_000_000  # of a text that is read at once; a thousand pages have three million
LONGEST_LINE = 100_000  # characters that are handed on before their line has ended


def decoded(data: bytes, name: str, error: type[MamtraError]) -> str:
    """Text of bytes that were read.

    Raises:
        MamtraError: of the class ``error``: they are too many, or not UTF-8.
    """
    if len(data) > LONGEST_BYTES:
        raise error(f"{name} has more than {LONGEST_BYTES} bytes of text; cut it into files")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise error(f"{name} is not UTF-8 text; save it as UTF-8 ({problem})") from problem


def read_text_file(path: str | Path, error: type[MamtraError] = TextError) -> str:
    """The text of a file.

    Raises:
        MamtraError: of the class ``error``: it cannot be read, is too long, or is not UTF-8.
    """
    name = repr(str(path))
    try:
        with Path(path).open("rb") as file:
            data = file.read(LONGEST_BYTES + 1)
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise error(f"cannot read {name}: {reason}") from problem
    return decoded(data, name, error)


def read_standard_input(error: type[MamtraError] = TextError) -> str:
    """All of standard input.

    Raises:
        MamtraError: of the class ``error``: it cannot be read, is too long, or is not UTF-8.
    """
    name = "standard input"
    buffer: BinaryIO | None = getattr(sys.stdin, "buffer", None)
    try:
        if buffer is None:  # something else stands for it
            return sys.stdin.read(LONGEST_BYTES)
        data = buffer.read(LONGEST_BYTES + 1)
    except (OSError, ValueError) as problem:
        raise error(f"cannot read {name}: {problem}") from problem
    return decoded(data or b"", name, error)


def lines_of_input() -> Iterator[str]:
    """Standard input line by line, each as soon as it is there; endless lines in parts.

    Raises:
        TextError: it cannot be read, or is not UTF-8.
    """
    try:
        while line := sys.stdin.readline(LONGEST_LINE):
            yield line
    except UnicodeDecodeError as problem:
        raise TextError(f"standard input is not UTF-8 text: {problem}") from problem
    except OSError as problem:
        raise TextError(f"cannot read standard input: {problem}") from problem
