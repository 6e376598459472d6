"""Resemblyzer: how alike two voices are, with weights inside the package (17 MB).

The same voice in two sentences gives 0.86 to 0.92, different voices 0.46 to 0.86 (docs/voices.md);
its figures are never compared with those of another model, such as the WavLM of Seed-TTS-eval.
"""

import warnings

import numpy as np

from mamtra.errors import AudioError, require
from mamtra.evaluation.judges.judge import NOBODY, Comparing, identity_of, package_file

EXTRA = "judges"
PACKAGE = "Resemblyzer"
WEIGHTS = "pretrained.pt"


class Resemblyzer(Comparing):
    """The voice encoder.

    Raises:
        MissingExtraError: Resemblyzer is not installed.
    """

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old imports inside the package
            self.package = require("resemblyzer", EXTRA)
            self.encoder = self.package.VoiceEncoder("cpu", verbose=False)
        weights = package_file(PACKAGE, WEIGHTS)
        self.identity = identity_of("resemblyzer", PACKAGE, weights, {})

    def embed(self, samples: np.ndarray, rate_hz: int) -> np.ndarray:
        """The voice as 256 numbers of length 1.

        Raises:
            AudioError: nobody speaks.
        """
        sound = np.nan_to_num(np.asarray(samples, np.float32))
        heard = np.zeros(0) if not sound.any() else self.package.preprocess_wav(sound, rate_hz)
        if not len(heard):
            raise AudioError(NOBODY)
        return self.encoder.embed_utterance(heard)
