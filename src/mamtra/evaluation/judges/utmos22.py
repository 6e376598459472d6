"""UTMOS22 strong: the naturalness score of the paper, with the weights that everybody pins.

The learner of sarulab-speech/UTMOS22 without its phoneme encoder, in the form that
tarepan/SpeechMOS v1.2.0 (commit ed25eacb) publishes: wav2vec 2.0 base, a domain and a judge, one
BLSTM. Rates from 1 to 5.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from mamtra.errors import require
from mamtra.evaluation.judges.judge import identity_of, sound_at
from mamtra.evaluation.judges.torch_weights import (
    checked_file,
    fill,
    tensors_of,
    transformers_names,
)

EXTRA = "judges"
PACKAGE = "transformers"
RATE_HZ = 16_000
# of utmos22_strong_step7459_v1.pt (release v1.0.0 of tarepan/SpeechMOS), as the Open TTS
# Leaderboard pins it
PINNED_SHA256 = "38aa51ab79e2a4e09a1449758a4b37e9cbb2e8235a49662a732d33a9ba1e9bff"
COMMIT = "ed25eacb"
INSIDE = "wav2vec2."
EMBEDDED, RNN, PROJECTED = 128, 512, 2048
SCALE, MIDDLE = 2.0, 3.0  # from the network's -1 to 1 to a score
LEAST_SAMPLES = 1600  # shorter clips make no frame


class Strong(nn.Module):
    """The network behind wav2vec 2.0; names are those of the published weights."""

    def __init__(self, hidden: int, rnn: int = RNN, projected: int = PROJECTED) -> None:
        super().__init__()
        self.domain_emb = nn.Parameter(torch.zeros(1, EMBEDDED))
        self.judge_emb = nn.Parameter(torch.zeros(1, EMBEDDED))
        self.blstm = nn.LSTM(hidden + 2 * EMBEDDED, rnn, batch_first=True, bidirectional=True)
        self.projection = nn.Sequential(
            nn.Linear(2 * rnn, projected), nn.ReLU(), nn.Linear(projected, 1)
        )

    def forward(self, units: Float[Tensor, "b t c"]) -> Float[Tensor, " b"]:
        """A score for each row: the mean over time."""
        who = torch.cat([self.domain_emb, self.judge_emb], dim=1)
        joined = torch.cat([units, who[:, None].expand(*units.shape[:2], -1)], dim=2)
        return self.projection(self.blstm(joined)[0]).mean(1)[:, 0] * SCALE + MIDDLE


class Utmos22:
    """The rating model.

    Args:
        path: of the weights.
        sha256: that they must have; None takes any, for weights that nobody pins.
        sizes: of wav2vec 2.0 beyond transformers' defaults, which are the published weights'.

    Raises:
        ModelError: the file is not there, another one, or does not fit.
        MissingExtraError: transformers is not installed.
    """

    def __init__(
        self,
        path: Path,
        sha256: str | None = PINNED_SHA256,
        sizes: dict[str, Any] | None = None,
        rnn: int = RNN,
    ) -> None:
        package = require(PACKAGE, EXTRA)
        if sha256 is not None:
            checked_file(path, sha256, "UTMOS22 strong")
        tensors = tensors_of(path)
        config = package.Wav2Vec2Config(**(sizes or {}))
        inside = {n.removeprefix(INSIDE): t for n, t in tensors.items() if n.startswith(INSIDE)}
        self.wav2vec2 = fill(package.Wav2Vec2Model(config), transformers_names(inside), ())
        self.strong = fill(Strong(config.hidden_size, rnn), tensors, (INSIDE,))
        settings = {"form": f"SpeechMOS {COMMIT}", "rate_hz": RATE_HZ}
        self.identity = identity_of("utmos22", PACKAGE, path, settings)

    @torch.inference_mode()
    def quality(self, samples: Float[np.ndarray, " samples"], rate_hz: int) -> float:
        """A mean opinion score, 1 (bad) to 5 (excellent)."""
        padded = sound_at(samples, rate_hz, RATE_HZ, LEAST_SAMPLES)
        units = self.wav2vec2(torch.from_numpy(padded)[None]).last_hidden_state
        return float(self.strong(units)[0])
