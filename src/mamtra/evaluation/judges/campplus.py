"""CAM++ by the graph in every CosyVoice 2 and 3 folder: how alike two voices are.

Whoever has such a folder needs no further weights. Its cosines are other ones than WavLM's, which
Seed-TTS-eval reports: its name says so, and figures of the two are never compared.
"""

from pathlib import Path

import numpy as np

from mamtra.audio.kaldi_features import FRAME, kaldi_fbank
from mamtra.evaluation.judges.judge import Comparing, identity_of, voice_at
from mamtra.voice.onnx_encoder import open_graph, run_graph

PACKAGE = "onnxruntime"
WEIGHTS = "campplus.onnx"
RATE_HZ = 16_000


class Campplus(Comparing):
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
        settings = {"rate_hz": RATE_HZ, "features": "kaldi"}
        self.identity = identity_of("campplus", PACKAGE, path, settings)

    def embed(self, samples: np.ndarray, rate_hz: int) -> np.ndarray:
        """The voice as 192 numbers.

        Raises:
            AudioError: the clip is shorter than a frame, or silent.
        """
        sound = voice_at(samples, rate_hz, RATE_HZ, FRAME)
        return run_graph(self.session, kaldi_fbank(sound)[None])
