"""Mel features against golden arrays, and their number of frames."""

import pytest
import torch
from reference import tensors_of

from mamtra.acoustic.mel import LogMel
from mamtra.audio.log_mel import MelConfig
from mamtra.errors import ConfigError


@pytest.mark.parametrize(("fmax_hz", "name"), [(8000.0, "fmax8000"), (12_000.0, "fmaxNone")])
def test_mel_features_equal_the_original(fmax_hz: float, name: str) -> None:
    golden = tensors_of("frontend_features")
    found = LogMel(MelConfig(fmax_hz=fmax_hz))(golden["wave"])
    torch.testing.assert_close(found, golden[f"mel_{name}"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("samples", [3200, 3201, 3519, 3520])
def test_a_clip_has_as_many_frames_as_whole_hops(samples: int) -> None:
    mel = LogMel(MelConfig(rate_hz=16_000, n_fft=1024, window=1024, hop=320))
    assert mel(torch.zeros(2, samples)).shape == (2, 80, samples // 320)


def test_a_band_beyond_half_the_rate_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"fmax_hz=9000.0 must lie in order"):
        MelConfig(rate_hz=16_000, fmax_hz=9000.0)
