"""Where a number comes from: commit, machine, versions, date and seed, written beside every figure.

A figure without these can be neither compared nor repeated.
"""

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import mamtra
from mamtra.cores import available_cores, ordered_threads

PACKAGES = ("torch", "numpy")
PACKAGE_FILE = Path(mamtra.__file__)
CPU_INFO = Path("/proc/cpuinfo")
GIT_SECONDS = 10


def cpu_name() -> str:
    """The processor as it names itself."""
    if CPU_INFO.exists():
        for line in CPU_INFO.read_text(errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def memory_bytes() -> int | None:
    """The machine's memory, where the system tells."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def thread_count() -> int:
    """Threads that torch uses, or would use if it were loaded."""
    torch = sys.modules.get("torch")
    if torch is not None:
        return torch.get_num_threads()
    return ordered_threads() or available_cores()


def gpu_name() -> str | None:
    """The first GPU, if torch is loaded and sees one."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    return torch.cuda.get_device_name()


def this_machine() -> dict[str, Any]:
    """What the current process runs on.

    ``cores`` are those that this process may use, ``threads`` those that torch uses; ``load`` tells
    the processes that wanted to run in the last minute: other work makes figures worse.
    """
    return {
        "cpu": cpu_name(),
        "cores": available_cores(),
        "threads": thread_count(),
        "memory_bytes": memory_bytes(),
        "system": f"{platform.system()} {platform.machine()}",
        "gpu": gpu_name(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def git(*arguments: str) -> str | None:
    """What git answers about the repository that holds this package; None if nothing does."""
    try:
        result = subprocess.run(
            ["git", *arguments],
            cwd=PACKAGE_FILE.parent,
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() if result.returncode == 0 else None


def commit() -> str | None:
    """The commit of this package's own repository.

    A package installed below somebody else's repository is not part of it.
    """
    if git("ls-files", "--error-unmatch", PACKAGE_FILE.name) is None:
        return None
    return git("rev-parse", "HEAD")


def installed(packages: Sequence[str]) -> dict[str, str]:
    """Versions of those packages that are installed; none of them is imported."""
    versions = {}
    for package in packages:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def provenance(seed: int | None = None, packages: Sequence[str] = ()) -> dict[str, Any]:
    """Where numbers measured now come from, as a row holds it.

    Outside of a repository ``commit`` and ``changed`` (whether tracked files differ from it) are
    None; ``date`` is UTC.

    Args:
        seed: of what was measured.
        packages: further packages whose versions matter.
    """
    found = commit()
    changes = git("status", "--porcelain", "--untracked-files=no") if found else None
    return {
        "mamtra": mamtra.__version__,
        "commit": found,
        "changed": None if changes is None else bool(changes),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": seed,
        "python": platform.python_version(),
        "versions": installed([*PACKAGES, *packages]),
        "machine": this_machine(),
    }
