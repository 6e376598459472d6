"""DNSMOS (P.835, overall quality) by the package speechmos, whose wheel holds the weights.

It was made to rate noise suppression: it sees noise and clicks, hardly a voice's naturalness.
"""

import numpy as np
from jaxtyping import Float

from mamtra.errors import require
from mamtra.evaluation.judges.judge import identity_of, package_file, sound_at

EXTRA = "judges"
PACKAGE = "speechmos"
WEIGHTS = "dnsmos_models/sig_bak_ovr.onnx"
RATE_HZ = 16_000
LEAST_SAMPLES = 400  # the package repeats shorter clips until they are 9 s long


class Dnsmos:
    """The rating model.

    Raises:
        MissingExtraError: speechmos, or what it needs, is not installed.
    """

    def __init__(self) -> None:
        self.package = require("speechmos.dnsmos", EXTRA)
        settings = {"rate_hz": RATE_HZ, "scale": "overall"}
        weights = package_file(PACKAGE, WEIGHTS)
        self.identity = identity_of("dnsmos", PACKAGE, weights, settings, WEIGHTS)

    def quality(self, samples: Float[np.ndarray, " samples"], rate_hz: int) -> float:
        """A mean opinion score, 1 (bad) to 5 (excellent)."""
        padded = sound_at(samples, rate_hz, RATE_HZ, LEAST_SAMPLES)
        return float(self.package.run(np.clip(padded, -1, 1), RATE_HZ)["ovrl_mos"])
