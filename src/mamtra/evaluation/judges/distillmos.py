"""DistillMOS: naturalness of speech from 1 to 5, with weights inside the package (17 MB).

A clip is scaled to one peak before it is rated, so that loudness makes no difference.
"""

import io
import sys
import types
import warnings
from contextlib import redirect_stdout
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from mamtra.errors import require
from mamtra.evaluation.judges.judge import identity_of, package_file, sound_at

EXTRA = "judges"
PACKAGE = "distillmos"
WEIGHTS = "distill_mos_v7.pt"
RATE_HZ = 16_000
PEAK = 0.7
LEAST_PEAK = 1e-6  # below, a clip is silence and stays as it is


def import_without_torchaudio() -> Any:
    """The package; an empty ``torchaudio`` stands in where that is not installed.

    The package imports torchaudio and rates without it. Each torchaudio fits exactly one torch, so
    asking for it would decide which torch is installed.

    Raises:
        MissingExtraError: the package is not installed.
    """
    try:
        import torchaudio  # noqa: F401  # pyright: ignore[reportMissingImports]
    except ImportError:
        stand_in = types.ModuleType("torchaudio")
        transforms = types.ModuleType("torchaudio.transforms")
        for name in ("MFCC", "Resample"):
            setattr(transforms, name, type(name, (torch.nn.Module,), {}))
        stand_in.transforms = transforms  # pyright: ignore[reportAttributeAccessIssue]
        sys.modules |= {"torchaudio": stand_in, "torchaudio.transforms": transforms}
        try:
            return require("distillmos", EXTRA)
        finally:
            del sys.modules["torchaudio"], sys.modules["torchaudio.transforms"]
    return require("distillmos", EXTRA)


class DistillMos:
    """The rating model.

    Raises:
        MissingExtraError: distillmos is not installed.
    """

    def __init__(self) -> None:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):  # the package talks
            warnings.simplefilter("ignore")
            self.model = import_without_torchaudio().ConvTransformerSQAModel().eval()
        settings = {"rate_hz": RATE_HZ, "peak": PEAK}
        weights = package_file(PACKAGE, WEIGHTS)
        self.identity = identity_of("distillmos", PACKAGE, weights, settings, WEIGHTS)

    @torch.inference_mode()
    def quality(self, samples: Float[np.ndarray, " samples"], rate_hz: int) -> float:
        """A mean opinion score, 1 (bad) to 5 (excellent)."""
        sound = sound_at(samples, rate_hz, RATE_HZ)
        peak = float(np.abs(sound).max(initial=0))
        scaled = sound if peak < LEAST_PEAK else sound / peak * PEAK
        return float(self.model(torch.from_numpy(scaled)[None])[0])
