"""Our features against golden arrays: two seconds of a tone with noise."""

from functools import cache

import pytest
import torch
from reference import tensors_of
from torch import Tensor

from mamtra.acoustic.kaldi_features import kaldi_fbank
from mamtra.acoustic.whisper_features import whisper_log_mel
from mamtra.errors import AudioError


@cache
def case() -> dict[str, Tensor]:
    """The golden arrays."""
    return tensors_of("frontend_features")


def test_filter_banks_equal_kaldis() -> None:
    found = kaldi_fbank(case()["wave16"][0])
    torch.testing.assert_close(found, case()["kaldi_fbank_meannorm"], rtol=1e-4, atol=5e-4)


def test_log_mel_equals_whispers() -> None:
    found = whisper_log_mel(case()["wave16"][0])
    torch.testing.assert_close(found, case()["whisper_logmel128"][0], rtol=1e-4, atol=1e-4)


def test_a_clip_shorter_than_a_frame_is_refused() -> None:
    with pytest.raises(AudioError, match="399 samples are less than one frame of 400"):
        kaldi_fbank(torch.zeros(399))


def test_silence_gives_finite_numbers() -> None:
    assert torch.isfinite(kaldi_fbank(torch.zeros(800))).all()
    assert torch.isfinite(whisper_log_mel(torch.zeros(800))).all()
