"""The flow of a decoder run from its graphs: Euler's steps from noise to mel features.

Each step asks the network twice: what it knows of the speech is there, and is not; guidance pushes
away from the second answer. The two passes share nothing, so each has half of the threads: a
chunk of speech is too little work for each operation to be cut between threads.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from mamtra.acoustic.flow_times import cosine_times, even_times
from mamtra.errors import ModelError
from mamtra.runtime.onnx.bfloat16 import Bfloat16Session
from mamtra.runtime.onnx.flow_memory import GraphInput, StepMemory
from mamtra.runtime.onnx.session import open_session

UNBOUNDED = 2**29  # frames of a chunk where attention looks everywhere; OpenVINO has 32 bits
CHUNK_GRAPH = "velocity_stream.onnx"
CHUNKS_GRAPH = "velocity_chunks.onnx"
TOLD = "told"  # the input by which a pass is told what there is
END_OF_STEP = "end"  # the input by which a mean flow is told when a step ends
WINDOWS = "windows"  # the input that tells which blocks of frames each chunk sees
CALLERS = 64  # that may speak at once; each waits for one thread more

Point = Float[np.ndarray, "bins frames"]


class Flow:
    """One network of velocities.

    Args:
        path: of its graph.
        threads: that compute.
        dtype: what it computes in: ``float32`` or ``bfloat16``.
        steps: Euler steps.
        guidance: how far to push away from the velocity that knows nothing; at 0 it is not asked.

    Raises:
        ModelError: the graph is missing or damaged, or another version's.
    """

    def __init__(self, path: Path, threads: int, dtype: str, steps: int, guidance: float) -> None:
        self.steps, self._guidance = steps, np.float32(guidance)
        self._passes = (1.0, 0.0) if guidance else (1.0,)
        self._others = ThreadPoolExecutor(CALLERS) if guidance and threads > 1 else None
        self._session: Any
        if dtype == "bfloat16":
            self._session = Bfloat16Session(path, threads, 2 if self._others else 1)
        else:  # a caller computes as well as the threads of the session
            self._session = open_session(path, threads - 1 if self._others else threads)
        self._inputs = [
            GraphInput(entry.name, entry.shape, getattr(entry, "dtype", np.float32))
            for entry in self._session.get_inputs()
        ]
        names = {entry.name for entry in self._inputs}
        self._in_order = WINDOWS in names
        self._is_mean = END_OF_STEP in names
        if TOLD not in names:
            raise ModelError(
                f"{str(path)!r} was exported by another version; make it again with mamtra export "
                f"{str(path.parent)!r} --to onnx"
            )

    def empty_memories(self, context: int) -> list[list[StepMemory]]:
        """What each pass of each step remembers before the first frame.

        Args:
            context: frames of which keys and values will be held.
        """
        return [
            [StepMemory.empty(context, self._inputs) for _ in self._passes]
            for _ in range(self.steps)
        ]

    def follow(
        self,
        point: Point,
        feed: Mapping[str, np.ndarray],
        memories: Sequence[Sequence[StepMemory]] | None = None,
    ) -> Point:
        """Mel features, from noise.

        Args:
            point: where the flow starts.
            feed: what the graph takes beside point and time.
            memories: what each pass of each step remembers, where the graph takes that; they go on.
        """
        times = even_times(self.steps) if self._is_mean else cosine_times(self.steps)
        for step, (now, after) in enumerate(pairwise(times)):
            given = {**feed, "point": point, "time": np.array(now, np.float32)}
            if self._is_mean:
                given[END_OF_STEP] = np.array(after, np.float32)
            velocity = self._velocity(given, memories[step] if memories else None)
            point = point + velocity * np.float32(after - now)
        return point

    def _velocity(
        self, feed: Mapping[str, np.ndarray], memories: Sequence[StepMemory] | None
    ) -> Point:
        """The velocity after guidance."""
        held = memories or [None] * len(self._passes)
        asked = [(feed, *one) for one in zip(self._passes, held, strict=True)]
        if self._others is None:
            found = [self._ask(*one) for one in asked]
        else:
            waiting = self._others.submit(self._ask, *asked[1])
            try:
                found = [self._ask(*asked[0])]
            finally:
                waiting.exception()  # it writes to the memories, so it ends first
            found.append(waiting.result())
        if len(found) == 1:
            return found[0]
        return found[0] + (found[0] - found[1]) * self._guidance

    def _ask(
        self, feed: Mapping[str, np.ndarray], known: float, memory: StepMemory | None
    ) -> Point:
        """The velocity of one pass; ``known`` is 1, or 0 where it is told the point only."""
        given = {**feed, TOLD: np.array(known, np.float32)}
        if memory is None:
            return self._session.run(["velocity"], given)[0]
        if self._in_order:
            memory.put_in_order()
        memory.settle()
        found = self._session.run(["velocity", *memory.outputs], given | memory.arrays)
        velocity, *memory.taken = found
        return velocity
