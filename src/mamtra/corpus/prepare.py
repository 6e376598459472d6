"""Hear every recording once: the map from recordings to shards, in this process or in several.

Recordings are cut into parts of fixed size; a part is heard by one worker and written whole. A
killed run goes on with the parts that are missing. What cannot be used is skipped with a reason,
and never ends the run.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from mamtra.audio import Audio
from mamtra.corpus.readers import Recording
from mamtra.corpus.shards import Prepared, ShardWriter, put, read_part, write_index
from mamtra.errors import ConfigError, CorpusError, MamtraError, require

PLAN = "plan.json"
ENGINES = ("processes", "ray")


@runtime_checkable
class Extractor(Protocol):
    """Hears a recording: speech tokens, int64, and the speaker's vector, float32."""

    def __call__(self, audio: Audio) -> tuple[Tensor, Tensor]:
        """Hear one recording."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareConfig:
    """What is kept, and how the work is cut.

    Attributes:
        shortest, longest: in seconds; CosyVoice 2's speech tokenizer hears at most 30.
        quietest: a recording whose greatest sample is below it is silent; -60 dB.
        part: recordings in a part.
    """

    shortest: float = 0.3
    longest: float = 30.0
    quietest: float = 1e-3
    part: int = 500

    def __post_init__(self) -> None:
        if not 0 < self.shortest < self.longest:
            raise ConfigError("shortest must be above 0 and below longest, in seconds")
        if self.part < 1 or self.quietest < 0:
            raise ConfigError("part must be at least 1, and quietest not negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """All that a worker needs; the extractor is built by the worker, once.

    Attributes:
        factory: a function of a module, which builds the extractor from ``model``.
    """

    folder: Path
    factory: Callable[[str], Extractor]
    model: str
    config: PrepareConfig


@cache
def built(factory: Callable[[str], Extractor], model: str) -> Extractor:
    """The extractor of this process."""
    return factory(model)


def unusable(audio: Audio, config: PrepareConfig) -> str:
    """Why a recording cannot be used; empty if it can."""
    if not np.isfinite(audio.samples).all():
        return "its samples are not all numbers"
    if not config.shortest <= audio.seconds <= config.longest:
        return f"it lasts {audio.seconds:.2f} s, not {config.shortest:g} to {config.longest:g}"
    if float(np.abs(audio.samples).max()) < config.quietest:
        return "it is silent"
    return ""


def hear(recording: Recording, extractor: Extractor, config: PrepareConfig) -> Prepared | str:
    """One prepared utterance, or why there is none."""
    if recording.problem or not recording.text:
        return recording.problem or "its text is empty"
    try:
        audio = recording.audio()
        if reason := unusable(audio, config):
            return reason
        tokens, vector = extractor(audio)
    except (MamtraError, OSError, ValueError, RuntimeError, EOFError) as problem:
        return f"{type(problem).__name__}: {problem}"
    if not len(tokens) or not bool(torch.isfinite(vector).all()):
        return "no speech tokens, or no speaker, were heard in it"
    return Prepared(
        id=recording.id,
        text=recording.text,
        speaker=recording.speaker,
        split=recording.split,
        seconds=round(audio.seconds, 4),
        tokens=tokens.long().cpu(),
        vector=vector.float().cpu(),
    )


def prepare_part(task: Task, name: str, recordings: Sequence[Recording]) -> dict[str, Any]:
    """Hear and write one part; returns its receipt."""
    extractor = built(task.factory, task.model)
    writer, skipped = ShardWriter(task.folder, name), []
    for recording in recordings:
        heard = hear(recording, extractor, task.config)
        if isinstance(heard, str):
            skipped.append({"id": recording.id, "file": str(recording.path), "reason": heard})
        else:
            writer.add(heard)
    return writer.close(skipped)


def finished(folder: Path, name: str) -> dict[str, Any] | None:
    """The receipt of a part that is there whole, None if it is to be made."""
    try:
        receipt = json.loads((folder / f"{name}.json").read_text())
        read_part(folder, name)
    except (OSError, ValueError):  # a CorpusError is a ValueError
        return None
    return receipt


def check_plan(task: Task, recordings: Sequence[Recording]) -> None:
    """Write down what is being prepared, or refuse to go on with something else.

    Raises:
        CorpusError: the folder holds the work of another teacher, corpus or other options.
    """
    lines = (f"{r.id}\t{r.path}\t{r.text}\t{r.speaker}\t{r.split}\t{r.start}" for r in recordings)
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    plan = {"model": task.model, "recordings": digest, **asdict(task.config)}
    path = task.folder / PLAN
    try:
        task.folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            put(path, json.dumps(plan, indent=1).encode())
        other = json.loads(path.read_text())
    except (OSError, ValueError) as problem:
        raise CorpusError(f"cannot work in {str(task.folder)!r}: {problem}") from problem
    if changed := sorted(key for key in plan if other.get(key) != plan[key]):
        raise CorpusError(
            f"{str(task.folder)!r} was begun with other {', '.join(changed)}; "
            f"give the same as then, or another folder"
        )


Part = tuple[str, Sequence[Recording]]


def by_processes(task: Task, parts: Sequence[Part], workers: int) -> Iterator[dict[str, Any]]:
    """Receipts, from this process or from several.

    Raises:
        CorpusError: a worker was killed.
    """
    if workers == 1:
        yield from (prepare_part(task, *part) for part in parts)
        return
    threads = max(1, (os.cpu_count() or 1) // workers)
    pool = ProcessPoolExecutor(
        workers, get_context("spawn"), initializer=torch.set_num_threads, initargs=(threads,)
    )
    try:
        waiting = [pool.submit(prepare_part, task, *part) for part in parts]
        for future in waiting:
            yield future.result()
    except BrokenProcessPool as broken:
        raise CorpusError(
            "a worker ended, perhaps for want of memory; start again with fewer workers: "
            "what was finished is kept"
        ) from broken
    finally:
        pool.shutdown(cancel_futures=True)


def by_ray(task: Task, parts: Sequence[Part], workers: int) -> Iterator[dict[str, Any]]:
    """Receipts from a Ray cluster; recordings and shards must lie where every node sees them.

    Raises:
        MissingExtraError: ray is not installed.
    """
    ray = require("ray", "ray")
    if not ray.is_initialized():
        ray.init()  # the cluster that RAY_ADDRESS names, or a local one
    remote = ray.remote(num_cpus=1)(prepare_part)
    waiting, running = list(reversed(parts)), []
    while waiting or running:
        while waiting and len(running) < workers:
            running.append(remote.remote(task, *waiting.pop()))
        done, running = ray.wait(running)
        yield from ray.get(done)


def prepare(
    task: Task, recordings: Sequence[Recording], workers: int = 1, engine: str = "processes"
) -> Iterator[dict[str, Any]]:
    """Hear all recordings; yields the receipt of each part, those of earlier runs first.

    Raises:
        CorpusError: the folder holds other work, or a worker was killed.
        ConfigError: the engine is unknown.
    """
    if engine not in ENGINES:
        raise ConfigError(f"unknown engine {engine!r}; known: {', '.join(ENGINES)}")
    check_plan(task, recordings)
    size = task.config.part
    names = {
        f"part-{start // size:05d}": recordings[start : start + size]
        for start in range(0, len(recordings), size)
    }
    receipts = {name: receipt for name in names if (receipt := finished(task.folder, name))}
    yield from list(receipts.values())
    missing = [(name, part) for name, part in names.items() if name not in receipts]
    heard = by_processes if engine == "processes" else by_ray
    for receipt in heard(task, missing, workers):
        receipts[receipt["name"]] = receipt
        yield receipt
    write_index(task.folder, [receipts[name] for name in names], task.model)
