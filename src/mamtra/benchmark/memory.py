"""How much memory this process holds, and has held at most since it was last asked to forget.

On Linux the kernel keeps the peak and can be told to begin anew; elsewhere only the peak of the
whole life is known. For a CUDA device PyTorch's allocator is asked: what tensors take, what it took
from the driver for them, and what the driver gave to this process's context besides.
"""

import resource
from pathlib import Path
from typing import Any

import torch

from mamtra.benchmark.process import KIBIBYTE
from mamtra.runtime.torch.malloc import give_back_all

STATUS = Path("/proc/self/status")
FORGET = Path("/proc/self/clear_refs")
FORGET_PEAK = "5"  # proc(5): resets the peak resident set size


def status_bytes(name: str) -> int | None:
    """A line of the kernel's report in bytes; None where there is none."""
    if STATUS.exists():
        for line in STATUS.read_text().splitlines():
            key, _, value = line.partition(":")
            if key == name:
                return int(value.split()[0]) * 1024
    return None


def resident_bytes() -> int | None:
    """Memory that the process holds now."""
    return status_bytes("VmRSS")


def peak_bytes() -> int:
    """The most that it held since ``forget_peak``, or ever."""
    ever = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIBIBYTE
    return status_bytes("VmHWM") or ever


def forget_peak(device: torch.device) -> bool:
    """Begin a new peak, on the device as well; whether the kernel did so for the process."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    try:
        FORGET.write_text(FORGET_PEAK)
    except OSError:
        return False
    return True


def wait_for(device: torch.device) -> None:
    """Let a device finish what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def device_bytes(device: torch.device) -> dict[str, Any]:
    """What a CUDA device holds for this process; empty for a CPU."""
    if device.type != "cuda":
        return {}
    free, total = torch.cuda.mem_get_info(device)
    return {
        "allocated": torch.cuda.memory_allocated(device),
        "peak_allocated": torch.cuda.max_memory_allocated(device),
        "reserved": torch.cuda.memory_reserved(device),
        "peak_reserved": torch.cuda.max_memory_reserved(device),
        # includes other processes on the same card
        "used_on_card": total - free,
    }


def held_now(device: torch.device) -> int | None:
    """What tensors take: asked of the allocator on a CUDA device, seen as resident on a CPU.

    There, free pages are given back first: new tensors would move into them unseen.
    """
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    give_back_all()
    return resident_bytes()


def free_bytes(device: torch.device) -> int | None:
    """Memory that could still be taken; None where the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    report = Path("/proc/meminfo")
    if not report.exists():
        return None
    lines = dict(line.split(":", 1) for line in report.read_text().splitlines())
    return int(lines["MemAvailable"].split()[0]) * 1024
