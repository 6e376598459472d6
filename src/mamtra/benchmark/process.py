"""What a fresh process of Python took: seconds, CPU seconds, the most memory; a stopwatch."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mamtra.errors import GenerationError, MamtraError

KIBIBYTE = 1 if sys.platform == "darwin" else 1024  # unit of ru_maxrss

# Linux counts what the parent held as the child's peak, so a small process starts the measured one
MEASURE = """
import json, os, sys, time
started = time.perf_counter()
child = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, used = os.wait4(child, 0)
seconds, busy = time.perf_counter() - started, used.ru_utime + used.ru_stime
found = [os.waitstatus_to_exitcode(status), seconds, busy, used.ru_maxrss]
os.write(int(sys.argv[1]), json.dumps(found).encode())
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """One process that ran to its end.

    Attributes:
        seconds: on the clock.
        cpu_seconds: of all its threads.
        peak_bytes: the most memory that it held.
        printed: the JSON it printed, if any.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    printed: dict[str, Any] = field(default_factory=dict)


def run_python(arguments: Sequence[str]) -> Finished:
    """Run a fresh interpreter of the kind that runs this one, and take its time.

    Raises:
        GenerationError: it failed; the message is its own.
    """
    with (
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
        tempfile.TemporaryFile() as told,
    ):
        helper = [sys.executable, "-S", "-c", MEASURE, str(told.fileno()), sys.executable]
        subprocess.run(
            [*helper, *arguments], stdout=out, stderr=err, pass_fds=[told.fileno()], check=True
        )
        for file in (out, err, told):
            file.seek(0)
        code, seconds, cpu_seconds, most = json.load(told)
        if code:
            lines = err.read().decode(errors="replace").strip().splitlines()
            raise GenerationError(
                f"the measured process ended with {code}: "
                f"{lines[-1].removeprefix('error: ') if lines else 'it said nothing'}"
            )
        printed = out.read().decode().strip()
    return Finished(
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        peak_bytes=most * KIBIBYTE,
        printed=(json.loads(printed.splitlines()[-1]) or {}) if printed else {},
    )


class Stopwatch:
    """Seconds between one look and the next, on the clock and of this process alone."""

    def __init__(self) -> None:
        self.last = self.now()

    @staticmethod
    def now() -> tuple[float, float]:
        """Clock and CPU time; on a busy machine only the second can be compared."""
        return time.perf_counter(), time.process_time()

    def lap(self, before: str = "") -> dict[str, float]:
        """Both since the last look, under names that begin so."""
        last, self.last = self.last, self.now()
        clock, cpu = (round(now - then, 4) for now, then in zip(self.last, last, strict=True))
        return {f"{before}seconds": clock, f"{before}cpu_seconds": cpu}


def answer(work: Callable[..., Any], *arguments: str) -> None:
    """Be a measured process: print what work gives as JSON, or its failure in one sentence."""
    try:
        print(json.dumps(work(*arguments)))
    except MamtraError as problem:
        print(f"error: {problem}", file=sys.stderr)
        sys.exit(problem.exit_code)
