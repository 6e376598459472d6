"""The vocoder run by onnxruntime, whole or in pieces that join without a trace.

Of a stream, the last frames are held back until their future is known, and earlier ones are kept to
lead into the next piece; with enough of both the joined pieces equal the whole.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mamtra.runtime.onnx.session import open_session, sizes_of
from mamtra.runtime.sizes import VocoderSizes


@dataclass(slots=True)
class OnnxVocoderState:
    """What one stream remembers; its size does not grow.

    Attributes:
        mel, noise: of the frames kept, context first, then those held back.
        pitch: of the context frames, settled.
        cycles: how far the phases had come before the first kept frame: periods, or turns of each
            harmonic, behind which may stand the radians at which each began.
        spoken: samples that have left.
    """

    mel: Float[np.ndarray, "bins kept"]
    noise: Float[np.ndarray, "noises kept_samples"]
    pitch: Float[np.ndarray, " settled"]
    cycles: Float[np.ndarray, "..."]
    spoken: int = 0

    @property
    def nbytes(self) -> int:
        """Bytes held now."""
        return self.mel.nbytes + self.noise.nbytes + self.pitch.nbytes


def random_phases(
    noise: Float[np.ndarray, "noises samples"], harmonics: int
) -> Float[np.ndarray, " harmonics"]:
    """Where each harmonic begins, in radians: the pitch at 0, an overtone anywhere in (-pi, pi).

    The last channel of the noise is read, one normal number an overtone.
    """
    drawn = noise[-1, : harmonics - 1].astype(np.float64) / math.sqrt(2)
    return np.array([0.0, *(math.pi * math.erf(value) for value in drawn)])


def opening_gain(length: int) -> Float[np.ndarray, " opening"]:
    """Silence of so many samples, over the next of which as many fade in."""
    rising = (np.cos(np.linspace(math.pi, 0, length)) + 1) / 2
    return np.concatenate([np.zeros(length), rising]).astype(np.float32)


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
        self._ahead: int = noted.pop("ahead_frames", self._reach)
        self._sampled: bool = noted.pop("sampled_phases", False)
        opening: int = noted.pop("opening_frames", 0)
        self._names = [entry.name for entry in self._session.get_outputs()]
        self.sizes = VocoderSizes(**noted)
        self._gain = opening_gain(opening * self.sizes.hop)

    def _run(
        self,
        mel: Float[np.ndarray, "bins frames"],
        noise: Float[np.ndarray, "noises samples"],
        settled: Float[np.ndarray, " settled"],
        cycles: Float[np.ndarray, "..."],
    ) -> dict[str, np.ndarray]:
        """Samples, the pitch of every frame, and what moves the phases if it is not the pitch."""
        feed = {"mel": mel, "noise": noise, "settled": settled, "cycles": cycles}
        return dict(zip(self._names, self._session.run(self._names, feed), strict=True))

    def _start(self, noise: Float[np.ndarray, "noises samples"]) -> Float[np.ndarray, "..."]:
        """Phases at the beginning of an utterance with this noise."""
        if self._sampled:
            harmonics = self.sizes.noises - 1
            return np.concatenate([np.zeros(harmonics), random_phases(noise, harmonics)])
        return np.zeros(self.sizes.noises if self.sizes.uniform_noise else (), np.float64)

    def _opened(
        self, samples: Float[np.ndarray, " samples"], before: int = 0
    ) -> Float[np.ndarray, " samples"]:
        """Samples, of which so many came before, with what opens every utterance."""
        gain = self._gain[before : before + len(samples)]
        return np.concatenate([samples[: len(gain)] * gain, samples[len(gain) :]])

    def speak(
        self, mel: Float[np.ndarray, "bins frames"], noise: Float[np.ndarray, "noises samples"]
    ) -> Float[np.ndarray, " samples"]:
        """Samples of mel features, all at once; noise is standard normal, one value a sample."""
        if not mel.shape[1]:
            return np.zeros(0, np.float32)
        made = self._run(mel, noise, np.zeros(0, np.float32), self._start(noise))
        return self._opened(made["samples"])

    def new_state(self) -> OnnxVocoderState:
        """The state before the first chunk of a stream."""
        sizes = self.sizes
        empty = np.zeros((sizes.bins, 0), np.float32), np.zeros((sizes.noises, 0), np.float32)
        still = np.zeros(0)  # the phases begin with the first noise
        return OnnxVocoderState(*empty, pitch=np.zeros(0, np.float32), cycles=still)

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
        begins = not state.spoken and not state.mel.shape[1]
        mel = np.concatenate([state.mel, mel], axis=1)
        noise = np.concatenate([state.noise, noise], axis=1)
        frames = mel.shape[1]
        if not frames:
            return np.zeros(0, np.float32)
        if begins:
            state.cycles = self._start(noise)
        made = self._run(mel, noise, state.pitch, state.cycles)
        pitch, samples = made["pitch"], made["samples"][settled * hop :]
        if last:
            return self._opened(samples, state.spoken)
        held = min(self._ahead, frames - settled)
        dropped = max(0, frames - held - self._reach)
        if "turns" in made:
            turns = made["turns"][:, :dropped].sum(1)
            state.cycles[: len(turns)] += turns
        else:
            passed = pitch[:dropped].astype(np.float64).sum() * hop / self.sizes.rate_hz
            state.cycles = np.asarray((state.cycles + passed) % 1)
        # copied, so that the state does not hold on to what was dropped
        state.mel, state.noise = mel[:, dropped:].copy(), noise[:, dropped * hop :].copy()
        state.pitch = pitch[dropped : frames - held].copy()
        samples = samples[: len(samples) - held * hop]
        before, state.spoken = state.spoken, state.spoken + len(samples)
        return self._opened(samples, before)
