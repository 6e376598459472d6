"""How fast this machine's memory is, the floor that no step can go below.

A token needs every weight once, so a step cannot be faster than the bytes of the weights over the
bytes that memory gives in a second. That is measured here by copying a large block, and a step's
share of it tells how good an engine is, on any machine.
"""

import torch

from mamtra.benchmark.timing import timed

BLOCK_BYTES = {"cpu": 256 * 2**20, "cuda": 2**30}  # larger than any cache
REPEATS = 5


def bytes_per_second(device: torch.device) -> float:
    """Bytes read and written in a second by the best of a few copies."""
    count = BLOCK_BYTES.get(device.type, BLOCK_BYTES["cpu"])
    source = torch.ones(count, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    target.copy_(source)
    best = min(timed(lambda: target.copy_(source), device, REPEATS).seconds)
    return 2 * count / best
