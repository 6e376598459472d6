"""The token encoder run from its graphs: all tokens in a pass, or chunks that go on from a memory.

What a stream remembers are the last inputs of the encoder's convolutions, and keys and values of a
bounded number of tokens. Its arrays are never written to, so that states share them.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mamtra.runtime.onnx.session import open_session, sizes_of

ENCODER_GRAPH = "encoder_stream.onnx"

Memory = Mapping[str, np.ndarray]


class OnnxTokenEncoder:
    """One graph of it.

    Args:
        path: of the graph.
        threads: that compute.

    Raises:
        ModelError: the graph is missing or damaged.
    """

    def __init__(self, path: Path, threads: int) -> None:
        self._session = open_session(path, threads)
        self.noted = sizes_of(self._session, path)
        inputs = self._session.get_inputs()
        self._names = {entry.name for entry in inputs}
        self._memory = {
            entry.name: [size if isinstance(size, int) else 0 for size in entry.shape]
            for entry in inputs
            if entry.name.startswith(("held.", "known."))
        }

    def empty_memory(self) -> Memory:
        """Before the first token: zeros, and no keys and values."""
        return {name: np.zeros(shape, np.float32) for name, shape in self._memory.items()}

    def encode(
        self, tokens: np.ndarray, speaker: np.ndarray, kept: int, **numbers: int
    ) -> Float[np.ndarray, "bins frames"]:
        """What is expected of the first ``kept`` tokens, before offset and scale.

        Args:
            tokens: ids; those that are not kept are only context.
            speaker: the speaker's vector.
            kept: how many get frames.
            numbers: ``chunk``, tokens beyond which attention does not look.
        """
        return self.go_on(tokens, speaker, kept, {}, **numbers)[0]

    def go_on(
        self, tokens: np.ndarray, speaker: np.ndarray, kept: int, memory: Memory, **numbers: int
    ) -> tuple[Float[np.ndarray, "bins frames"], Memory]:
        """The same for the next chunks of a stream, and what is remembered after them.

        Args:
            tokens: ids of whole chunks, or of the last one, and of those after them.
            speaker: the speaker's vector.
            kept: tokens of the chunks.
            memory: of those before.
            numbers: ``context``, tokens before its chunk that each token sees.
        """
        sizes = {name: np.array(value) for name, value in numbers.items()}
        feed = {"tokens": tokens, "speaker": speaker, "kept": np.array(kept), **sizes, **memory}
        given = {name: value for name, value in feed.items() if name in self._names}
        outputs = ["mean", *(f"next.{name}" for name in memory)]
        mean, *after = self._session.run(outputs, given)
        return mean, dict(zip(memory, after, strict=True))
