"""The vocoder run by onnxruntime, whole or in pieces that join without a trace.

Of a stream, the last frames are held back until their future is known, and earlier ones are kept to
lead into the next piece; with enough of both the joined pieces equal the whole.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mamtra.runtime.onnx.session import open_session, sizes_of
from mamtra.runtime.protocols import VocoderSizes


@dataclass(slots=True)
class OnnxVocoderState:
    """What one stream remembers; its size does not grow.

    Attributes:
        mel, noise: of the frames kept, context first, then those held back.
        pitch: of the context frames, settled.
        cycles: periods before the first kept frame.
    """

    mel: Float[np.ndarray, "bins kept"]
    noise: Float[np.ndarray, "noises kept_samples"]
    pitch: Float[np.ndarray, " settled"]
    cycles: float = 0.0

    @property
    def nbytes(self) -> int:
        """Bytes held now."""
        return self.mel.nbytes + self.noise.nbytes + self.pitch.nbytes


class OnnxVocoder:
    """A vocoder from its graph.

    Args:
        path: of the graph.
        threads: that compute.

    Raises:
        ModelError: the graph is missing or damaged.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        self._session = open_session(path, threads)
        noted = sizes_of(self._session, path)
        self._reach: int = noted.pop("exact_frames")
        self.sizes = VocoderSizes(**noted)

    def _run(
        self,
        mel: Float[np.ndarray, "bins frames"],
        noise: Float[np.ndarray, "noises samples"],
        settled: Float[np.ndarray, " settled"],
        cycles: float = 0.0,
    ) -> list[np.ndarray]:
        """Samples, and the pitch of every frame."""
        feed = {"mel": mel, "noise": noise, "settled": settled, "cycles": np.array(cycles)}
        return self._session.run(["samples", "pitch"], feed)

    def speak(
        self, mel: Float[np.ndarray, "bins frames"], noise: Float[np.ndarray, "noises samples"]
    ) -> Float[np.ndarray, " samples"]:
        """Samples of mel features, all at once; noise is standard normal, one value a sample."""
        if not mel.shape[1]:
            return np.zeros(0, np.float32)
        return self._run(mel, noise, np.zeros(0, np.float32))[0]

    def new_state(self) -> OnnxVocoderState:
        """The state before the first chunk of a stream."""
        sizes = self.sizes
        empty = np.zeros((sizes.bins, 0), np.float32), np.zeros((sizes.noises, 0), np.float32)
        return OnnxVocoderState(*empty, pitch=np.zeros(0, np.float32))

    def speak_chunk(
        self,
        mel: Float[np.ndarray, "bins frames"],
        noise: Float[np.ndarray, "noises samples"],
        state: OnnxVocoderState,
        *,
        last: bool = False,
    ) -> Float[np.ndarray, " spoken"]:
        """The samples that no later frame can change; with ``last`` all that are left."""
        hop, settled = self.sizes.hop, len(state.pitch)
        mel = np.concatenate([state.mel, mel], axis=1)
        noise = np.concatenate([state.noise, noise], axis=1)
        frames = mel.shape[1]
        if not frames:
            return np.zeros(0, np.float32)
        samples, pitch = self._run(mel, noise, state.pitch, state.cycles)
        samples = samples[settled * hop :]
        if last:
            return samples
        held = min(self._reach, frames - settled)
        dropped = max(0, frames - held - self._reach)
        passed = pitch[:dropped].astype(np.float64).sum() * hop / self.sizes.rate_hz
        state.cycles = float((state.cycles + passed) % 1)
        # copied, so that the state does not hold on to what was dropped
        state.mel, state.noise = mel[:, dropped:].copy(), noise[:, dropped * hop :].copy()
        state.pitch = pitch[dropped : frames - held].copy()
        return samples[: len(samples) - held * hop]
