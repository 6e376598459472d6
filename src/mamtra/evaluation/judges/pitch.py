"""How much the voice moves: the spread of its pitch over a clip, in semitones.

Not an opinion but a measurement, by the tracker that the corpus uses; it stands among the judges of
quality so that a voice can be read beside its source.
"""

from importlib import metadata

import numpy as np
import torch
from jaxtyping import Float

from mamtra.acoustic.pitch import track_pitch
from mamtra.evaluation.judges.judge import Identity

HOP_SECONDS = 0.01
SEMITONES = 12  # in an octave
LEAST_FRAMES = 20  # voiced ones, below which a clip tells nothing


class Pitch:
    """The measurement."""

    def __init__(self) -> None:
        self.identity = Identity(
            name="pitch",
            package="mamtra",
            version=metadata.version("mamtra"),
            settings={"unit": "standard deviation in semitones", "hop_seconds": HOP_SECONDS},
        )

    def quality(self, samples: Float[np.ndarray, " samples"], rate_hz: int) -> float:
        """Standard deviation of the pitch in semitones; 0 with under 0.2 s of voice."""
        if len(samples) < LEAST_FRAMES * HOP_SECONDS * rate_hz:
            return 0.0
        sound = torch.from_numpy(np.asarray(samples, np.float32))[None]
        track = track_pitch(sound, rate_hz, round(HOP_SECONDS * rate_hz))[0].numpy()
        voiced = track[track > 0]
        if len(voiced) < LEAST_FRAMES:
            return 0.0
        return float(SEMITONES * np.log2(voiced).std())
