"""Who does the work of many parts: this process, several on this machine, or a Ray cluster.

Recordings that are prepared, test sets that are spoken and judged, and batches of texts all go
through here. All ways give the same results, for each part is made by itself; only their order may
differ. Torch is not imported here: what speaks does without it.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import Any

from mamtra.cores import available_cores
from mamtra.errors import ConfigError, CorpusError, MamtraError, require

Part = tuple[str, Sequence[Any]]
Receipt = dict[str, Any]
Work = Callable[[str, Sequence[Any]], Receipt]
# Ray's own names; without them it would tell its makers about this run, and open a web page
RAY_ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0"}
RAY_OPTIONS: Mapping[str, Any] = {"include_dashboard": False, "log_to_driver": False}
LOST = "what was finished is kept, and the same command goes on"


def end_with_parent() -> None:
    """Wait for the process that started this one, and end when it has been killed."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def start_worker(threads: int) -> None:
    """Take a share of the cores; a worker left behind would wait for parts for ever."""
    os.environ["OMP_NUM_THREADS"] = str(threads)  # for what is imported from now on
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(threads)
    Thread(target=end_with_parent, daemon=True).start()


def by_processes(work: Work, parts: Sequence[Part], workers: int) -> Iterator[Receipt]:
    """Receipts, from this process or from several.

    Raises:
        CorpusError: a worker was killed.
    """
    if workers == 1:
        yield from (work(*part) for part in parts)
        return
    threads = max(1, available_cores() // workers)
    # a pool starts its processes before its own thread; where that is refused, they would stay
    probe = Thread(target=int)
    probe.start()
    probe.join()
    pool = ProcessPoolExecutor(
        workers, get_context("spawn"), initializer=start_worker, initargs=(threads,)
    )
    try:
        waiting = [pool.submit(work, *part) for part in parts]
        for future in waiting:
            yield future.result()
    except BrokenProcessPool as broken:
        raise CorpusError(
            f"a worker ended, perhaps for want of memory; start again with fewer workers: {LOST}"
        ) from broken
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def cluster() -> Iterator[Any]:
    """Ray, connected: as the caller left it, else to RAY_ADDRESS, else to one of our own.

    Raises:
        MissingExtraError: ray is not installed.
        CorpusError: there is no cluster at that address, or none can be started.
    """
    for name, value in RAY_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    ray = require("ray", "ray")
    ours = not ray.is_initialized()
    try:
        if ours:
            ray.init(**RAY_OPTIONS)
    except Exception as problem:  # Ray raises what it likes
        raise CorpusError(f"cannot reach or start a Ray cluster: {problem}") from problem
    try:
        yield ray
    finally:
        if ours:
            ray.shutdown()


def worked(work: Work, name: str, members: Sequence[Any]) -> Receipt:
    """The work itself, for Ray sends functions and nothing else that can be called."""
    return work(name, members)


def by_ray(work: Work, parts: Sequence[Part], workers: int) -> Iterator[Receipt]:
    """Receipts from a Ray cluster; what is read and written must lie where every node sees it.

    Raises:
        MamtraError: what a part raised; MissingExtraError if ray is not installed.
        CorpusError: a worker was lost, or cannot do its work.
    """
    with cluster() as ray:
        remote = ray.remote(num_cpus=1)(worked)
        waiting, running = list(reversed(parts)), []
        while waiting or running:
            while waiting and len(running) < workers:
                running.append(remote.remote(work, *waiting.pop()))
            done, running = ray.wait(running)
            try:
                receipts = ray.get(done)
            except ray.exceptions.RayTaskError as failed:
                cause = failed.cause
                if isinstance(cause, MamtraError):
                    raise cause from failed
                raise CorpusError(f"a worker on Ray failed ({cause}); {LOST}") from failed
            except ray.exceptions.RayError as lost:
                raise CorpusError(f"Ray lost a worker ({lost}); {LOST}") from lost
            yield from receipts


ENGINES: Mapping[str, Callable[[Work, Sequence[Part], int], Iterator[Receipt]]] = {
    "processes": by_processes,
    "ray": by_ray,
}


def check_engine(engine: str) -> None:
    """Refuse what is none of the engines.

    Raises:
        ConfigError: it is none.
    """
    if engine not in ENGINES:
        raise ConfigError(f"unknown engine {engine!r}; known: {', '.join(ENGINES)}")


def shard_of(written: str | None) -> tuple[int, int]:
    """``2/4`` as the second of four; nothing as the only one.

    Raises:
        ConfigError: it has another form.
    """
    if written is None:
        return 1, 1
    part, sign, count = written.partition("/")
    if not (sign and part.isdecimal() and count.isdecimal() and 1 <= int(part) <= int(count)):
        raise ConfigError(f"shard {written!r} is not of the form 2/4, the second of four")
    return int(part), int(count)


def in_parts(prefix: str, members: Sequence[Any], size: int) -> list[Part]:
    """Members in parts of a size, the last one perhaps smaller, with names in order."""
    return [
        (f"{prefix}-{start // size:05d}", members[start : start + size])
        for start in range(0, len(members), size)
    ]


def shared_out(
    work: Work, parts: Sequence[Part], workers: int, engine: str = "processes"
) -> Iterator[Receipt]:
    """The receipts of all parts.

    Args:
        work: a function of a module, or a ``partial`` of one, that does a part.
        parts: each with its name.
        workers: processes, or tasks at once on Ray.
        engine: one of ``ENGINES``.

    Raises:
        ConfigError: the engine is unknown.
        CorpusError: a worker was lost.
    """
    check_engine(engine)
    return ENGINES[engine](work, parts, workers)
