"""How long one sentence takes, from an empty process to a finished file, and in a warm one.

What a person waits for is the whole process: starting Python, importing, loading weights, speaking.
So whole processes are timed, in rounds, and each round also times the same interpreter doing
nothing, importing torch alone, and importing all that speaking needs. Then the same sentence is
spoken in this process, as a stream and as a whole (``stream.py``). Times on a machine depend on
what else it does; the ratios within a round hardly do.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mamtra.benchmark.process import Finished, run_python
from mamtra.benchmark.spread import merged

SENTENCE = "The weather was fine, so we walked along the river until evening."  # twelve words
BASELINES = {
    "python": ["-c", "pass"],
    "torch": ["-c", "import torch"],
    "import": ["-c", "import mamtra.cli.say, mamtra.synthesis.synthesizer"],
}
SAY = "say"
STAGES = ("text", "speech_lm", "decoder", "vocoder")

Run = Callable[[Sequence[str]], Finished]


def say_arguments(model: str, text: str, voice: str | None, seed: int, path: Path) -> list[str]:
    """The command that a person would type."""
    chosen = [] if voice is None else ["--voice", voice]
    options = ["-o", str(path), "--model", model, "--seed", str(seed), "--json", "--quiet"]
    return ["-m", "mamtra", "say", *options, *chosen, "--", text]


def processes(
    say: Sequence[str], runs: int, run: Run = run_python
) -> Iterator[dict[str, Finished]]:
    """Time every process in turn, so that a busy spell of the machine meets them all.

    The first round warms files and is not handed out.
    """
    commands = {**BASELINES, SAY: list(say)}
    for number in range(runs + 1):
        times = {name: run(arguments) for name, arguments in commands.items()}
        if number:
            yield times


def benchmark(
    model: str, text: str = SENTENCE, voice: str | None = None, seed: int = 0, runs: int = 5
) -> Iterator[dict[str, Finished]]:
    """Time ``mamtra say`` of one sentence; yields each round as it ends.

    Raises:
        GenerationError: a process failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        yield from processes(say_arguments(model, text, voice, seed, Path(folder) / "a.wav"), runs)


def round_figures(times: Mapping[str, Finished]) -> dict[str, Any]:
    """One round as a row; every ratio is taken within it."""
    printed = times[SAY].printed
    audio, timings = float(printed["seconds"]), printed["compute_seconds"]
    # the same imports happen in both, so their difference is loading, speaking and writing
    after = times[SAY].seconds - times["import"].seconds
    figures: dict[str, dict[str, Any]] = {
        name: {
            "seconds": finished.seconds,
            "cpu_seconds": finished.cpu_seconds,
            "peak_bytes": finished.peak_bytes,
            "times_import_torch": finished.seconds / times["torch"].seconds,
        }
        for name, finished in times.items()
    }
    figures[SAY] |= {
        "audio_seconds": audio,
        "real_time_factor": {
            "whole": times[SAY].seconds / audio,
            "without_import": after / audio,
            "speaking": sum(timings[stage] for stage in STAGES) / audio,
            **{stage: timings[stage] / audio for stage in STAGES},
        },
    }
    return figures


def summarise(measured: Sequence[Mapping[str, Finished]]) -> dict[str, Any]:
    """The result of every process over all rounds."""
    return merged([round_figures(times) for times in measured])
