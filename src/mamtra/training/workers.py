"""Several training processes on one machine: each computes its own batch, gradients are averaged.

On a CPU two processes with one thread each train faster than one process with two threads.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.multiprocessing.spawn import spawn

BUCKET = 1 << 25  # numbers that are averaged at once: 128 MiB beside the gradients


def rank() -> int:
    """Number of this process; 0 where there is only one."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def buckets(gradients: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Group gradients so that no group is much larger than ``BUCKET`` numbers."""
    group: list[Tensor] = []
    for gradient in gradients:
        group.append(gradient)
        if sum(held.numel() for held in group) >= BUCKET:
            yield group
            group = []
    if group:
        yield group


def average(gradients: Sequence[Tensor]) -> None:
    """Replace gradients by their mean over all processes, in place."""
    if world() == 1:
        return
    for group in buckets(gradients):
        flat = torch.cat([gradient.flatten() for gradient in group])
        dist.all_reduce(flat)
        flat /= world()
        offset = 0
        for gradient in group:
            gradient.copy_(flat[offset : offset + gradient.numel()].view_as(gradient))
            offset += gradient.numel()


def wait() -> None:
    """Wait until every process has come here."""
    if world() > 1:
        dist.barrier()


def work(number: int, meeting: str, workers: int, run: Callable[..., None], given: Any) -> None:
    """The life of one process."""
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{meeting}", rank=number, world_size=workers
    )
    try:
        run(*given)
    finally:
        dist.destroy_process_group()


def launch(workers: int, run: Callable[..., None], *given: Any) -> None:
    """Run a function in several training processes, or right here when one is enough.

    Args:
        workers: how many processes.
        run: a function defined at the top of a module, so that processes can find it.
        given: its arguments.
    """
    if workers == 1:
        torch.set_num_threads(1)
        run(*given)
        return
    with tempfile.TemporaryDirectory() as folder:
        meeting = str(Path(folder) / "meeting")
        spawn(work, (meeting, workers, run, given), workers)
