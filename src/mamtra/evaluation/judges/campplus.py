"""CAM++ by the graph in every CosyVoice 2 and 3 folder: how alike two voices are.

Whoever has such a folder needs no further weights. Its cosines are other ones than WavLM's, which
Seed-TTS-eval reports: its name says so, and figures of the two are never compared.
"""

from importlib import metadata
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mamtra.audio.clip import Audio
from mamtra.audio.kaldi_features import FRAME, kaldi_fbank
from mamtra.errors import AudioError
from mamtra.evaluation.judges.judge import Identity, cosine, file_sha256
from mamtra.voice.onnx_encoder import open_graph, run_graph

PACKAGE = "onnxruntime"
WEIGHTS = "campplus.onnx"
RATE_HZ = 16_000


class Campplus:
    """The speaker model of a CosyVoice folder.

    Args:
        folder: holds ``campplus.onnx``.

    Raises:
        ModelError: there is no such file, or it is no graph.
        MissingExtraError: onnxruntime is not installed.
    """

    def __init__(self, folder: str) -> None:
        path = Path(folder).expanduser() / WEIGHTS
        self.session = open_graph(path, inputs=1)
        self.identity = Identity(
            name="campplus",
            package=PACKAGE,
            version=metadata.version(PACKAGE),
            weights=WEIGHTS,
            sha256=file_sha256(path),
            settings={"rate_hz": RATE_HZ, "features": "kaldi"},
        )

    def embed(self, samples: np.ndarray, rate_hz: int) -> np.ndarray:
        """The voice as 192 numbers.

        Raises:
            AudioError: the clip is shorter than a frame, or silent.
        """
        sound = Audio(samples=np.asarray(samples, np.float32), rate_hz=rate_hz).at(RATE_HZ).samples
        sound = np.nan_to_num(sound)
        if len(sound) < FRAME or not sound.any():
            raise AudioError("nobody speaks in this clip; its voice cannot be compared")
        return run_graph(self.session, kaldi_fbank(sound)[None])

    def likeness(
        self,
        samples: Float[np.ndarray, " samples"],
        rate_hz: int,
        other: Float[np.ndarray, " others"],
        other_rate_hz: int,
    ) -> float:
        """The cosine between both voices."""
        return cosine(self.embed(samples, rate_hz), self.embed(other, other_rate_hz))
