"""Our features against golden arrays: two seconds of a tone with noise."""

from functools import cache

import numpy as np
import pytest
import torch
from reference import tensors_of

from mamtra.acoustic.mel import LogMel
from mamtra.audio.kaldi_features import kaldi_fbank
from mamtra.audio.log_mel import MelConfig, log_mel
from mamtra.audio.whisper_features import whisper_log_mel
from mamtra.errors import AudioError


@cache
def case() -> dict[str, np.ndarray]:
    """The golden arrays."""
    return {name: tensor.numpy() for name, tensor in tensors_of("frontend_features").items()}


def test_filter_banks_equal_kaldis() -> None:
    found = kaldi_fbank(case()["wave16"][0])
    np.testing.assert_allclose(found, case()["kaldi_fbank_meannorm"], rtol=1e-4, atol=5e-4)


def test_log_mel_equals_whispers() -> None:
    found = whisper_log_mel(case()["wave16"][0])
    np.testing.assert_allclose(found, case()["whisper_logmel128"][0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("fmax_hz", "name"), [(8000.0, "fmax8000"), (12_000.0, "fmaxNone")])
def test_mel_features_equal_the_original(fmax_hz: float, name: str) -> None:
    found = log_mel(case()["wave"][0], MelConfig(fmax_hz=fmax_hz))
    np.testing.assert_allclose(found, case()[f"mel_{name}"][0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "config",
    [
        MelConfig(),
        MelConfig(rate_hz=16_000, n_fft=1024, window=1024, hop=320),
        MelConfig(rate_hz=16_000, n_fft=512, window=400, hop=160),
    ],
)
def test_speaking_and_training_see_the_same_mel_features(config: MelConfig) -> None:
    samples = np.random.default_rng(0).standard_normal(9_701).astype(np.float32) / 10
    trained = LogMel(config)(torch.from_numpy(samples)[None])[0].numpy()
    found = log_mel(samples, config)
    assert found.dtype == np.float32
    assert found.shape == (80, 9_701 // config.hop)
    np.testing.assert_allclose(found, trained, rtol=1e-5, atol=1e-5)


def test_a_clip_shorter_than_a_frame_is_refused() -> None:
    with pytest.raises(AudioError, match="399 samples are less than one frame of 400"):
        kaldi_fbank(np.zeros(399, np.float32))


def test_silence_gives_finite_numbers() -> None:
    assert np.isfinite(kaldi_fbank(np.zeros(800, np.float32))).all()
    assert np.isfinite(whisper_log_mel(np.zeros(800, np.float32))).all()
