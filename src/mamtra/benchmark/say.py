"""How long one sentence takes, from an empty process to a finished file.

What a person waits for is the whole process: starting Python, importing torch, loading weights and
speaking. So whole processes are timed, in rounds, and each round also times the same interpreter
doing nothing, importing torch alone, and importing all that speaking needs. Times on a machine
depend on what else it does; the ratios within a round hardly do.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mamtra.errors import GenerationError

SENTENCE = "The weather was fine, so we walked along the river until evening."  # twelve words
YARDSTICKS = {
    "python": ["-c", "pass"],
    "torch": ["-c", "import torch"],
    "import": ["-c", "import mamtra.cli.say, mamtra.synthesis.synthesizer"],
}
SAY = "say"
STAGES = ("text", "speech_lm", "decoder", "vocoder")
KIBIBYTE = 1 if sys.platform == "darwin" else 1024  # unit of ru_maxrss


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """One process that ran to its end.

    Attributes:
        seconds: on the clock.
        cpu_seconds: of all its threads.
        peak_bytes: the most memory that it held.
        told: the JSON it printed, if any.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    told: dict[str, Any] = field(default_factory=dict)


Run = Callable[[Sequence[str]], Finished]


def run_python(arguments: Sequence[str]) -> Finished:
    """Run a fresh interpreter of the kind that runs this one, and take its time.

    Raises:
        GenerationError: it failed; the message is its own.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        process = subprocess.Popen([sys.executable, *arguments], stdout=out, stderr=err)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode:
            lines = err.read().decode(errors="replace").strip().splitlines()
            raise GenerationError(
                f"the measured process ended with {process.returncode}: "
                f"{lines[-1].removeprefix('error: ') if lines else 'it said nothing'}"
            )
        printed = out.read().decode().strip()
    return Finished(
        seconds=seconds,
        cpu_seconds=used.ru_utime + used.ru_stime,
        peak_bytes=used.ru_maxrss * KIBIBYTE,
        told=json.loads(printed.splitlines()[-1]) if printed else {},
    )


def say_arguments(model: str, text: str, voice: str | None, seed: int, path: Path) -> list[str]:
    """The command that a person would type."""
    chosen = [] if voice is None else ["--voice", voice]
    options = ["-o", str(path), "--model", model, "--seed", str(seed), "--json", "--quiet"]
    return ["-m", "mamtra", "say", *options, *chosen, "--", text]


def rounds(say: Sequence[str], runs: int, run: Run = run_python) -> Iterator[dict[str, Finished]]:
    """Time every process in turn, so that a busy spell of the machine meets them all.

    The first round warms files and is not handed out.
    """
    commands = {**YARDSTICKS, SAY: list(say)}
    for number in range(runs + 1):
        times = {name: run(arguments) for name, arguments in commands.items()}
        if number:
            yield times


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least and most of a few measurements."""
    return {
        "median": round(statistics.median(values), 4),
        "least": round(min(values), 4),
        "most": round(max(values), 4),
    }


def summarise(measured: Sequence[Mapping[str, Finished]]) -> dict[str, Any]:
    """The figures of all rounds; every ratio is taken within a round."""
    told = [times[SAY].told for times in measured]
    audio = [row["seconds"] for row in told]
    whole = [times[SAY].seconds for times in measured]
    # the same imports happen in both, so their difference is loading, speaking and writing
    after = [times[SAY].seconds - times["import"].seconds for times in measured]
    stages = {
        stage: spread([row["timings"][stage] / row["seconds"] for row in told]) for stage in STAGES
    }
    speaking = [sum(row["timings"][stage] for stage in STAGES) for row in told]
    return {
        "audio_seconds": spread(audio),
        "seconds": {
            name: spread([times[name].seconds for times in measured]) for name in measured[0]
        },
        "cpu_seconds": {
            name: spread([times[name].cpu_seconds for times in measured]) for name in measured[0]
        },
        "peak_bytes": {
            name: max(times[name].peak_bytes for times in measured) for name in measured[0]
        },
        "real_time_factor": {
            "whole": spread([a / b for a, b in zip(whole, audio, strict=True)]),
            "without_import": spread([a / b for a, b in zip(after, audio, strict=True)]),
            "speaking": spread([a / b for a, b in zip(speaking, audio, strict=True)]),
            **stages,
        },
        "times_import_torch": {
            SAY: spread([times[SAY].seconds / times["torch"].seconds for times in measured]),
            "import": spread(
                [times["import"].seconds / times["torch"].seconds for times in measured]
            ),
        },
    }


def benchmark(
    model: str, text: str = SENTENCE, voice: str | None = None, seed: int = 0, runs: int = 5
) -> Iterator[dict[str, Finished]]:
    """Time ``mamtra say`` of one sentence; yields each round as it ends.

    Raises:
        GenerationError: a process failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        yield from rounds(say_arguments(model, text, voice, seed, Path(folder) / "a.wav"), runs)


def row(settings: Mapping[str, Any], measured: Sequence[Mapping[str, Finished]]) -> dict[str, Any]:
    """The line that is kept: what was measured, and what came out."""
    words = len(str(settings["text"]).split())
    figures = summarise(measured)
    return {"benchmark": "say", **settings, "words": words, "runs": len(measured), **figures}


def append(path: Path, line: Mapping[str, Any]) -> None:
    """Add one JSON line to a file of results."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")
