"""The speaker encoder: any length, no influence of padding, and vectors of length one."""

import pytest
import torch

from mamtra.acoustic.speaker import SpeakerConfig, SpeakerEncoder
from mamtra.errors import ConfigError

CONFIG = SpeakerConfig(bins=8, dim=12, width=6)


@pytest.fixture
def speaker() -> SpeakerEncoder:
    torch.manual_seed(0)
    return SpeakerEncoder(CONFIG).eval()


@pytest.mark.parametrize("frames", [1, 2, 50])
def test_clips_of_any_length_give_a_vector_of_length_one(
    speaker: SpeakerEncoder, frames: int
) -> None:
    found = speaker(torch.randn(3, 8, frames))
    assert found.shape == (3, 6)
    torch.testing.assert_close(found.norm(dim=-1), torch.ones(3))


def test_padding_changes_nothing(speaker: SpeakerEncoder) -> None:
    mel = torch.randn(2, 8, 30)
    both = speaker(mel, torch.tensor([13, 30]))
    torch.testing.assert_close(both[:1], speaker(mel[:1, :, :13]))
    torch.testing.assert_close(both[1:], speaker(mel[1:]))


def test_gradients_are_finite_where_a_clip_does_not_change(speaker: SpeakerEncoder) -> None:
    speaker(torch.zeros(2, 8, 20)).sum().backward()
    assert all(
        torch.isfinite(weight.grad).all()
        for weight in speaker.parameters()
        if weight.grad is not None
    )


def test_an_even_kernel_is_refused() -> None:
    with pytest.raises(ConfigError, match="kernel=4 must be odd"):
        SpeakerConfig(kernel=4)
