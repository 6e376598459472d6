"""What a flow remembers: a copy goes on by itself."""

import numpy as np
import pytest

from mamtra.runtime.onnx.flow_memory import CACHES, GraphInput, StepMemory

CONTEXT = 6


def chunk(first: int, frames: int) -> np.ndarray:
    """Keys and values that are the frames' own numbers."""
    return np.arange(first, first + frames, dtype=np.float32).reshape(1, 1, frames, 1)


def remembered(memory: StepMemory) -> list[int]:
    """Which frames are held, the oldest first."""
    memory.put_in_order()
    return memory.arrays[CACHES].ravel().astype(int).tolist()


@pytest.mark.parametrize("frames", [1, 4, 6, 9])
@pytest.mark.parametrize("known", [0, 3, 6, 8])
def test_a_copy_goes_on_and_what_it_was_copied_from_stays(known: int, frames: int) -> None:
    memory = StepMemory.empty(CONTEXT, [GraphInput(CACHES, (1, 1, -1, 1), np.float32)])
    for frame in range(known):
        memory.taken = [chunk(frame, 1)]
        memory.settle()
    other = memory.copy()
    other.taken = [chunk(known, frames)]
    before = list(range(known))
    assert remembered(other) == [*before, *range(known, known + frames)][-CONTEXT:]
    assert remembered(memory) == before[-CONTEXT:]
