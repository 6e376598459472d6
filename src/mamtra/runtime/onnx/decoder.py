"""The decoder run by onnxruntime: token encoder, and the flow's Euler steps where it has one."""

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from mamtra.errors import ConfigError
from mamtra.runtime.onnx.bfloat16 import Bfloat16Session
from mamtra.runtime.onnx.session import open_session, sizes_of
from mamtra.runtime.protocols import DecoderSizes, EncodedPrompt

UNBOUNDED = 2**40  # tokens or frames of a chunk where attention looks everywhere


def cosine_times(steps: int) -> list[float]:
    """Times of the flow from 0 to 1, one more than steps, closer together at the start."""
    return [1 - math.cos(math.pi / 2 * step / steps) for step in range(steps + 1)]


class OnnxDecoder:
    """A decoder from its graphs.

    Args:
        path: of the decoder's graph; that of the flow lies beside it.
        threads: that compute.
        flow_steps: Euler steps of its flow, if it has one; 0 for the model's own.
        flow_dtype: what the flow's network computes in: ``float32`` or ``bfloat16``.

    Raises:
        ModelError: a graph is missing or damaged.
    """

    def __init__(
        self,
        path: Path,
        threads: int = 1,
        flow_steps: int = 0,
        flow_dtype: str = "float32",
    ) -> None:
        self._encoder = open_session(path, threads)
        noted = sizes_of(self._encoder, path)
        self._inputs = {entry.name for entry in self._encoder.get_inputs()}
        self._steps: int = noted["steps"] and (flow_steps or noted["steps"])
        self._velocity: Any = None
        if self._steps:
            half = flow_dtype == "bfloat16"
            open_flow = Bfloat16Session if half else open_session
            self._velocity = open_flow(path.with_name("velocity.onnx"), threads)
            self._chunk_frames: int = noted["chunk_frames"]
        self._guidance: float = noted["guidance"]
        self._offset: float = noted["mel_offset"]
        self._scale: float = noted["mel_scale"]
        names = DecoderSizes.__dataclass_fields__
        shared = {name: value for name, value in noted.items() if name in names}
        self.sizes = DecoderSizes(**shared, flow=self._steps > 0)

    def _expect(
        self, tokens: np.ndarray, voice: EncodedPrompt, chunked: bool, final: bool
    ) -> Float[np.ndarray, "bins frames"]:
        """What the token encoder expects, before offset and scale."""
        sizes = self.sizes
        kept = len(tokens) if final else max(0, len(tokens) - sizes.lookahead_tokens)
        feed = {
            "tokens": tokens,
            "kept": np.array(kept),
            "chunk": np.array(sizes.chunk_tokens if chunked else UNBOUNDED),
            "speaker": voice.speaker,
        }
        taken = {name: value for name, value in feed.items() if name in self._inputs}
        return self._encoder.run(["mean"], taken)[0]

    def _flow(
        self,
        mean: Float[np.ndarray, "bins frames"],
        voice: EncodedPrompt,
        noise: Float[np.ndarray, "bins noise_frames"],
        chunked: bool,
    ) -> Float[np.ndarray, "bins frames"]:
        """Follow the velocity from noise to mel features."""
        frames = mean.shape[1]
        if noise.shape[1] < frames:
            raise ConfigError(
                f"{frames} mel frames are more than the {noise.shape[1]} of the noise; "
                f"split the text into shorter pieces"
            )
        given = np.zeros_like(mean)
        known = min(voice.mel.shape[1], frames)
        given[:, :known] = (voice.mel[:, :known] - self._offset) / self._scale
        feed = {
            "mean": mean,
            "given": given,
            "speaker": voice.speaker,
            "guidance": np.array(self._guidance, np.float32),
            "chunk": np.array(self._chunk_frames if chunked else UNBOUNDED),
        }
        point = np.ascontiguousarray(noise[:, :frames], np.float32)
        for now, after in pairwise(cosine_times(self._steps)):
            moment = {
                "point": point,
                "time": np.array(now, np.float32),
                "move": np.array(after - now, np.float32),
            }
            point = self._velocity.run(["next.point"], feed | moment)[0]
        return point

    def decode(
        self,
        tokens: Sequence[int],
        voice: EncodedPrompt,
        noise: Float[np.ndarray, "bins noise_frames"] | None,
        *,
        chunked: bool = False,
        final: bool = True,
    ) -> Float[np.ndarray, "bins frames"]:
        """Mel features of the tokens, without those of the voice's prompt.

        Raises:
            ConfigError: the flow needs noise, or more of it.
        """
        ids, before = np.asarray(tokens, np.int64), 0
        if self.sizes.flow:
            before = voice.mel.shape[1]
            ids = np.concatenate([voice.tokens.astype(np.int64), ids])
        if not len(ids):
            return np.zeros((self.sizes.bins, 0), np.float32)
        mel = self._expect(ids, voice, chunked, final)
        if self.sizes.flow:
            if noise is None:
                raise ConfigError("this decoder starts in noise; give it fixed_noise(bins)")
            mel = self._flow(mel, voice, noise, chunked)
        return mel[:, before:] * np.float32(self._scale) + np.float32(self._offset)
