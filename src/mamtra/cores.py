"""How many cores there are to compute with, and how many threads of a CPU compute."""

import os

MOST_THREADS = 8  # beyond, memory gives a single token nothing more
THREADS_A_CORE = 4  # far above, threads cannot be started


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ordered_threads() -> int:
    """Threads that ``OMP_NUM_THREADS`` orders; 0 where it orders none."""
    first = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()  # inner ones may follow
    return int(first) if first.isdecimal() else 0


def chosen_threads(asked: int, large: bool) -> tuple[int, str]:
    """How many threads compute, and why; alike for every engine.

    Args:
        asked: by the caller; 0 decides here.
        large: whether a model's weights are too many for a processor's caches.
    """
    most = THREADS_A_CORE * available_cores()
    for wanted, why in ((asked, "asked for"), (ordered_threads(), "OMP_NUM_THREADS says so")):
        if wanted > most:
            return most, f"{why}, but {wanted} are more than {THREADS_A_CORE} for each core"
        if wanted:
            return wanted, why
    if not large:
        return 1, "the operations of a small model end sooner than threads can meet"
    cores = min(available_cores(), MOST_THREADS)
    return cores, f"a large model's weights are read by {cores} cores together"
