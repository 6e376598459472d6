"""Where a run computes: a CPU, a GPU, or as one of several processes that torchrun started.

accelerate reads what torchrun says, chooses the process's device and joins the processes (NCCL on
GPUs, gloo on CPUs). The loop does the rest itself: accelerate's own mixed precision would keep the
choice of types where nobody reads it. On one CPU nothing of it is needed, nor imported.
"""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist

from mamtra.errors import ConfigError, require

EXTRA = "train"


def device_named(name: str) -> torch.device:
    """A device by its name; ``auto`` is a GPU if there is one.

    Raises:
        ConfigError: it is unknown, or not there.
    """
    gpu = torch.cuda.is_available()
    if name == "auto":
        return torch.device("cuda" if gpu else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as problem:
        raise ConfigError(f"device {name!r} is unknown; possible are auto, cpu, cuda") from problem
    if device.type not in ("cpu", "cuda"):
        raise ConfigError(f"training on {name!r} is not possible; possible are auto, cpu, cuda")
    if device.type == "cuda" and not gpu:
        raise ConfigError("device 'cuda' was asked for and there is no GPU; give auto or cpu")
    return device


def processes() -> int:
    """How many processes torchrun started; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@contextmanager
def placed(device: str = "auto") -> Iterator[torch.device]:
    """Join the processes of this run, if there are several; gives this process's device.

    Raises:
        ConfigError: the device is unknown, or not there.
        MissingExtraError: there is more than one CPU to use, and accelerate is not installed.
    """
    requested = device_named(device)
    if requested.type == "cpu" and processes() == 1:
        yield requested
        return
    accelerate = require("accelerate", EXTRA)
    with warnings.catch_warnings():
        # it tells that it sets the number of threads, which is what is wanted
        warnings.filterwarnings("ignore", message="OMP_NUM_THREADS")
        joined = accelerate.PartialState(cpu=requested.type == "cpu")
    try:
        # a GPU asked for by number is taken, unless each process gets its own
        yield requested if requested.index is not None and processes() == 1 else joined.device
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()
