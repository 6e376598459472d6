"""One command in this process, with bounds on its time and memory, and what may come of it."""

import contextlib
import io
import re
import resource
import signal
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from mamtra.cli.main import main

SECONDS = 30  # no single call on a tiny model takes a tenth of it, even on a busy machine
BYTES = 3 << 30  # of address space beyond what this process has
COMMANDS = Path(__file__).parents[2] / "docs" / "commands.md"
LONGEST = 3000  # letters that a command says about one mistake


def documented_codes() -> set[int]:
    """The exit codes in docs/commands.md."""
    rows = re.findall(r"^\| ([\d, ]+) \|", COMMANDS.read_text(), re.MULTILINE)
    return {int(code) for row in rows for code in row.split(",")}


CODES = documented_codes()


class TooSlowError(BaseException):
    """The bound of time; nothing catches it by chance."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended.

    Attributes:
        code: its exit code; None where it raised something else.
        told: standard error, or the exception.
    """

    code: int | None
    told: str

    @property
    def accepted(self) -> bool:
        """Whether this is a success or one documented sentence."""
        if self.code not in CODES or "Traceback" in self.told:
            return False
        errors = re.findall(r"^error: .", self.told, re.MULTILINE)
        return len(errors) == (self.code != 0) and len(self.told) < LONGEST


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """Break off what takes too long or too much memory."""

    def too_slow(_: int, __: FrameType | None) -> None:
        raise TooSlowError(f"more than {SECONDS} s")

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    before = signal.signal(signal.SIGALRM, too_slow)
    signal.alarm(SECONDS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + BYTES, hard))
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


def outcome(arguments: list[str]) -> Outcome:
    """Run a command."""
    told = io.StringIO()
    with (
        contextlib.redirect_stderr(told),
        contextlib.redirect_stdout(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # numbers that overflow; the result is what counts
        try:
            with bounded():
                main(arguments)
        except SystemExit as ended:
            return Outcome(int(ended.code or 0), told.getvalue())
        except BaseException as problem:
            return Outcome(None, f"{type(problem).__name__}: {problem}"[:500])
    return Outcome(0, told.getvalue())
