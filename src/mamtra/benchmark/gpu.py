"""Everything that a GPU has to tell, in one run of a few minutes: ``mamtra bench gpu``.

What is cheap and matters most comes first, of the hybrids 1:1 and 1:5: steps of one stream at
every length, the whole chain with its memory by part, steps of many streams. Then the rate of
distillation and the tests that need a GPU, which choose or compile kernels for long, and what the
hybrids are compared with. Each measurement is a process of its own with a deadline, so one that
hangs or fails costs its time and nothing else. Rows are written after each measurement: what was
done before a cut is kept.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mamtra.atomic import written_beside
from mamtra.benchmark.decode.config import BASELINE, BenchConfig
from mamtra.benchmark.decode.rounds import summarise
from mamtra.benchmark.row import bench_row
from mamtra.errors import CorpusError

PACKAGES = ("transformers", "fla-core", "triton")
ROOMS = ("tests/backbone", "tests/runtime", "tests/benchmark")  # where tests marked gpu lie
FIRST = ("1:1", "1:5")  # of the targets; the others wait until these are measured
CHAINED = ("1:1", "1:5", "1:0", BASELINE)  # whose whole chain is measured
TARGETS = (*FIRST, BASELINE, "1:0", "1:5-grouped", "removed-12")
TESTERS = 4  # processes that run tests, most of whose time goes into compiling kernels
CHAIN_REPEATS = 2  # of a whole chain; what it loads takes longer than what is timed
LEAST_SECONDS = 5.0  # a process that has less is not started
TAIL = 2000  # characters of a test run that are kept


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuRun:
    """What one run measures.

    Attributes:
        model: whose sizes; the weights are random.
        device: ``cuda``, or ``cpu`` to rehearse.
        seconds: of the whole run.
        contexts, batches: of the timed steps.
        steps, repeats: of a timed block.
        speech_seconds: of speech through the whole chain.
        spoken: tokens spoken while memory is watched.
        tokens: of a distillation's batch.
        tests: whether the tests marked ``gpu`` are run; they need the checkout.
    """

    model: str = "cosyvoice2"
    device: str = "cuda"
    seconds: float = 480.0
    contexts: tuple[int, ...] = (250, 1000, 4000, 16_000)
    batches: tuple[int, ...] = (8, 32)
    steps: int = 50
    repeats: int = 5
    speech_seconds: float = 10.0
    spoken: int = 250
    tokens: int = 4000
    tests: bool = True
    targets: tuple[str, ...] = TARGETS

    def rehearsed(self) -> "GpuRun":
        """The same with numbers that a processor gets through in seconds."""
        return replace(
            self,
            contexts=(20, 40),
            batches=(2,),
            steps=1,
            repeats=2,
            speech_seconds=0.4,
            spoken=4,
            tokens=60,
        )

    def config(self, target: str, **more: Any) -> BenchConfig:
        """The measurement of one target."""
        shared = {"steps": self.steps, "repeats": self.repeats, "batches": (1,)}
        return BenchConfig(
            **{"model": self.model, "device": self.device, "target": target, **shared, **more}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One process.

    Attributes:
        part: the row it belongs to.
        name: its result in that row.
        arguments: of the interpreter.
        share: of the run's seconds that it may take at most.
    """

    part: str
    name: str
    arguments: tuple[str, ...]
    share: float


Outcome = dict[str, Any]
Start = Callable[[Sequence[str], float], Outcome]


def worker(config: BenchConfig) -> tuple[str, ...]:
    """Arguments of the process that measures a config."""
    return ("-m", "mamtra.benchmark.decode.worker", config.written())


def one_stream(run: GpuRun, targets: Sequence[str]) -> Iterator[Measurement]:
    """Steps of one stream after every length, and prompts."""
    for target in targets:
        config = run.config(target, contexts=run.contexts, prompts=(100, 1000))
        yield Measurement(part="one stream", name=target, arguments=worker(config), share=0.2)


def chain(run: GpuRun, targets: Sequence[str]) -> Iterator[Measurement]:
    """The whole chain, with its memory by part."""
    for target in (own for own in targets if own in CHAINED):
        config = run.config(
            target,
            contexts=run.contexts[:1],
            seconds=run.speech_seconds,
            spoken=run.spoken,
            repeats=min(CHAIN_REPEATS, run.repeats),
        )
        yield Measurement(part="chain", name=target, arguments=worker(config), share=0.2)


def many_streams(run: GpuRun, targets: Sequence[str]) -> Iterator[Measurement]:
    """Steps of several streams after every length."""
    for target in targets:
        config = run.config(target, contexts=run.contexts, batches=run.batches)
        yield Measurement(part="many streams", name=target, arguments=worker(config), share=0.12)


def measurements(run: GpuRun) -> Iterator[Measurement]:
    """All of a run, the most important first; the baseline's chain and streams take longest."""
    first = [target for target in run.targets if target in FIRST]
    others = [target for target in run.targets if target not in FIRST]
    own = [target for target in others if target != BASELINE]
    baseline = [target for target in others if target == BASELINE]
    for part in (one_stream, chain, many_streams):
        yield from part(run, first)
    rehearsed = ("--dry-run", "--json", "--device", run.device, "--set", f"tokens={run.tokens}")
    arguments = ("-m", "mamtra", "distill", run.model, "1:1", *rehearsed)
    yield Measurement(part="distillation", name="1:1", arguments=arguments, share=0.25)
    if run.tests:
        # a file's tests share a process: kernels that were chosen for one serve the next
        several = find_spec("xdist") is not None
        side_by_side = ("-n", str(TESTERS), "--dist", "loadfile") if several else ()
        without = ("-p", "no:cacheprovider", "-p", "no:benchmark")
        options = ("-m", "gpu", *without, *side_by_side, *ROOMS)
        yield Measurement(part="tests", name="gpu", arguments=("-m", "pytest", *options), share=0.4)
    yield from one_stream(run, others)
    for targets in (own, baseline):
        yield from chain(run, targets)
        yield from many_streams(run, targets)


def tail_of(text: str) -> str:
    """The end of what a process said."""
    return text.strip()[-TAIL:]


def start(arguments: Sequence[str], limit: float) -> Outcome:
    """Run one process to its end or to its deadline; what it measured, or what went wrong."""
    began, tested = time.perf_counter(), arguments[:2] == ("-m", "pytest")
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # so that what it has started ends with it
    )
    try:
        said = process.communicate(timeout=limit)
        cut: Outcome = {}
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        said = process.communicate()
        cut = {"cut": f"not finished within {limit:.0f} seconds"}
    except KeyboardInterrupt:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    out, errors = (stream.decode(errors="replace") for stream in said)
    if cut:
        return cut | ({"report": tail_of(out)} if tested else {})
    took = {"process_seconds": time.perf_counter() - began}
    if tested:
        return {"passed": process.returncode == 0, "report": tail_of(out or errors), **took}
    if process.returncode:
        return {"failed": tail_of(errors) or f"ended with {process.returncode}", **took}
    lines = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    if arguments[:3] == ("-m", "mamtra", "distill"):
        last = lines[-1]  # the first step chooses kernels
        return {"steps": lines, "tokens_per_second": last["tokens"] / last["seconds"], **took}
    return {**lines[-1], **took}


@dataclass(slots=True)
class Rows:
    """The rows of a run, written anew after each measurement.

    Attributes:
        results: by part, then by the measurement's name.
    """

    run: GpuRun
    path: Path
    results: dict[str, dict[str, Outcome]] = field(default_factory=dict)

    def add(self, done: Measurement, outcome: Outcome) -> None:
        """Keep one outcome.

        Raises:
            CorpusError: the file cannot be written.
        """
        self.results.setdefault(done.part, {})[done.name] = outcome
        text = "".join(f"{json.dumps(self.row(part))}\n" for part in self.results)
        with written_beside(self.path, CorpusError) as beside:
            beside.write_text(text)

    def row(self, part: str) -> dict[str, Any]:
        """The row of a part; steps of targets get their ratios to the baseline."""
        outcomes = self.results[part]
        measured = {name: one for name, one in outcomes.items() if "decode" in one}
        others = {name: one for name, one in outcomes.items() if name not in measured}
        baseline = BASELINE if BASELINE in measured else None
        results = summarise([*measured.items()], baseline) | others
        settings = asdict(self.run) | {"part": part, "baseline": baseline, "seed": 0}
        benchmark = "decode" if measured else part
        return bench_row(benchmark, settings, 1, results, PACKAGES)


def measure(
    run: GpuRun,
    path: Path,
    notice: Callable[[str], None],
    start_process: Start = start,
    clock: Callable[[], float] = time.monotonic,
) -> Rows:
    """Measure everything that fits into the run's seconds.

    Args:
        run: what to measure.
        path: of the rows.
        notice: is told what happens, one line at a time.
        start_process: runs a process.
        clock: in seconds.

    Raises:
        CorpusError: the rows cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise CorpusError(f"cannot write into {str(path.parent)!r}: {problem}") from problem
    rows, began = Rows(run, path), clock()
    for one in measurements(run):
        left = run.seconds - (clock() - began)
        limit = min(left, one.share * run.seconds)
        if limit < LEAST_SECONDS:
            outcome: Outcome = {"skipped": "no time was left"}
        else:
            outcome = start_process(one.arguments, limit)
        rows.add(one, outcome)
        told = next(
            (outcome[key] for key in ("skipped", "cut", "failed") if key in outcome), "done"
        )
        passed = "" if outcome.get("passed", True) else ", with failures"
        notice(f"{one.part}, {one.name}: {told.splitlines()[-1] if told else told}{passed}")
    return rows


def draw_rows(rows: Rows, folder: Path) -> list[Path]:
    """Pictures of what was measured: speed and length of one stream, memory of the chain."""
    from mamtra.figures.draw import draw

    wanted = {
        "one-stream-speed.png": ("one stream", "speed"),
        "one-stream-length.png": ("one stream", "length"),
        "chain-memory.png": ("chain", "memory"),
    }
    drawn = []
    for name, (part, what) in wanted.items():
        if part not in rows.results:
            continue
        row = rows.row(part)
        row["results"] = {name: one for name, one in row["results"].items() if "decode" in one}
        if row["results"]:
            draw(row, folder / name, what)
            drawn.append(folder / name)
    return drawn
