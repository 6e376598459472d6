"""Step two or more targets in turn, each in a process that stays: for ratios on a noisy machine.

    python tools/steps_in_turn.py --targets 1:1@onnx-int8,1:1 --contexts 250,1000 \
        -o benchmarks/results/in-turn.jsonl

``mamtra bench decode`` measures one target after the other, a minute apart, and what memory gives
changes in a minute. Here all are loaded, and each takes a block of single steps while the others
wait; the ratio to the last target is taken turn by turn.
"""

import argparse
import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from mamtra.benchmark.decode.config import BenchConfig, numbers, read_config, targets_of
from mamtra.benchmark.decode.target import build
from mamtra.benchmark.decode.timing import Speaker, filled_state
from mamtra.benchmark.row import Spread, bench_row, spread
from mamtra.errors import MamtraError

WARM_STEPS = 12
GO = "go\n"


def serve(config: BenchConfig, block: int, turns: int) -> None:
    """Load a target, then step a block for each line that comes; answers with its seconds."""
    model = build(config).model
    (context,) = config.contexts
    state = filled_state(model, context, 1, WARM_STEPS + block * turns)
    speaker = Speaker(model, state, 1)
    speaker.speak(WARM_STEPS)
    print("ready", flush=True)
    for _ in range(turns):
        sys.stdin.readline()
        started = time.perf_counter()
        speaker.speak(block)
        print(time.perf_counter() - started, flush=True)


class Stepper:
    """A process that holds one target.

    Raises:
        SystemExit: it ended before it was ready.
    """

    def __init__(self, config: BenchConfig, block: int, turns: int) -> None:
        command = [sys.executable, __file__, "--serve", config.written()]
        command += ["--block", str(block), "--turns", str(turns)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.said: IO[str] = self.process.stdin
        self.heard: IO[str] = self.process.stdout
        if self.heard.readline() != "ready\n":
            sys.exit(f"{config.target} did not start")

    def take_turn(self) -> float:
        """Seconds of the next block."""
        self.said.write(GO)
        self.said.flush()
        return float(self.heard.readline())

    def end(self) -> None:
        """Let the process go."""
        self.said.close()
        self.process.wait(60)


def measure(
    configs: dict[str, BenchConfig], block: int, turns: int
) -> dict[str, dict[str, Spread]]:
    """Milliseconds a step of each target, and its speed in times of the last one's."""
    steppers = {name: Stepper(config, block, turns) for name, config in configs.items()}
    taken: dict[str, list[float]] = {name: [] for name in steppers}
    for _ in range(turns):
        for name, stepper in steppers.items():
            taken[name].append(stepper.take_turn())
    for stepper in steppers.values():
        stepper.end()
    last = taken[list(taken)[-1]]
    return {
        name: {
            "milliseconds_per_step": spread([one * 1000 / block for one in seconds]),
            "times_last": spread([b / a for a, b in zip(seconds, last, strict=True)]),
        }
        for name, seconds in taken.items()
    }


def main() -> None:
    """Measure, print and write one row."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--targets", default="1:1@onnx-int8,1:1")
    parser.add_argument("--contexts", default="250")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--block", type=int, default=40, help="steps of a turn")
    parser.add_argument("--turns", type=int, default=8)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_args()
    if given.serve:
        serve(read_config(given.serve), given.block, given.turns)
        return
    if given.block < 1 or given.turns < 1:
        parser.error("--block and --turns must be at least 1")
    try:
        base = BenchConfig(threads=given.threads, spoken=1)  # from a folder, as a user's
        named = base.of_each(targets_of(given.targets, base.model))
        contexts = numbers(given.contexts)
    except MamtraError as problem:
        parser.error(str(problem))
    results: dict[str, Any] = {name: [] for name in named}
    for context in contexts:
        at = {name: replace(one, contexts=(context,)) for name, one in named.items()}
        for name, found in measure(at, given.block, given.turns).items():
            results[name].append({"context": context, **found})
            middle = found["milliseconds_per_step"]["median"], found["times_last"]["median"]
            print(f"{context} {name}: {middle[0]:.2f} ms, {middle[1]:.3f} times", file=sys.stderr)
    settings = {
        "model": base.model,
        "threads": given.threads,
        "block": given.block,
        "turns": given.turns,
        "seed": base.seed,
    }
    row = bench_row("in-turn", settings, 1, results, ("torch", "numpy", "onnxruntime"))
    print(json.dumps(row))
    if given.output is not None:
        with given.output.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
