"""Resemblyzer: how alike two voices are, with weights inside the package (17 MB).

The same voice in two sentences gives 0.86 to 0.92, different voices 0.46 to 0.86 (docs/voices.md);
its figures are never compared with those of another model, such as the WavLM of Seed-TTS-eval.
"""

import warnings
from importlib import metadata
from typing import Any

import numpy as np
from jaxtyping import Float

from mamtra.errors import AudioError, require
from mamtra.evaluation.judges.judge import Identity, file_sha256, package_file

EXTRA = "judges"
PACKAGE = "Resemblyzer"
WEIGHTS = "pretrained.pt"


class Resemblyzer:
    """The voice encoder.

    Raises:
        MissingExtraError: Resemblyzer is not installed.
    """

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old imports inside the package
            self.package = require("resemblyzer", EXTRA)
            self.encoder = self.package.VoiceEncoder("cpu", verbose=False)
        self.identity = Identity(
            name="resemblyzer",
            package=PACKAGE,
            version=metadata.version(PACKAGE),
            weights=WEIGHTS,
            sha256=file_sha256(package_file(PACKAGE, WEIGHTS)),
        )

    def embed(self, samples: np.ndarray, rate_hz: int) -> Any:
        """The voice as 256 numbers of length 1.

        Raises:
            AudioError: nobody speaks.
        """
        sound = np.nan_to_num(np.asarray(samples, np.float32))
        heard = np.zeros(0) if not sound.any() else self.package.preprocess_wav(sound, rate_hz)
        if not len(heard):
            raise AudioError("nobody speaks in this clip; its voice cannot be compared")
        return self.encoder.embed_utterance(heard)

    def likeness(
        self,
        samples: Float[np.ndarray, " samples"],
        rate_hz: int,
        other: Float[np.ndarray, " others"],
        other_rate_hz: int,
    ) -> float:
        """The cosine between both voices."""
        return float(self.embed(samples, rate_hz) @ self.embed(other, other_rate_hz))
