"""The decoder's features get the covariance that recordings have, by its last layer alone."""

import pytest
import torch
from torch import Tensor

from mamtra.acoustic.decoder import Decoder
from mamtra.acoustic.decoder_config import DecoderConfig, TokenEncoderConfig
from mamtra.recipes.nano.detail import (
    LARGEST_GAIN,
    TILT,
    Detail,
    give_detail,
    ripples,
    sharpen,
    transport,
)

BINS = 5


def voice(seed: int, mix: Tensor, mean: float) -> Tensor:
    drawn = torch.randn(BINS, 4000, generator=torch.Generator().manual_seed(seed))
    return mix @ drawn + mean


def mended(detail: Detail, features: Tensor) -> Tensor:
    moved = features.double() - detail.drawn[:, None]
    return detail.matrix @ moved + detail.natural[:, None]


@pytest.fixture(scope="module")
def natural() -> list[Tensor]:
    mix = torch.eye(BINS) + 0.3 * torch.randn(
        BINS, BINS, generator=torch.Generator().manual_seed(9)
    )
    return [voice(1, mix, -3.0), voice(2, 1.5 * mix, -5.0)]


@pytest.fixture(scope="module")
def drawn() -> list[Tensor]:
    mix = torch.eye(BINS) + 0.3
    return [voice(3, mix, -2.0), voice(4, mix, -4.0)]


def around(voices: list[Tensor]) -> Tensor:
    """The covariance of several voices around their common mean."""
    mean = torch.stack([one.double().mean(1) for one in voices]).mean(0)[:, None]
    return sum((one.double() - mean) @ (one.double() - mean).mT / one.shape[1] for one in voices)


def test_mended_features_have_the_covariance_and_the_mean_of_recordings(
    natural: list[Tensor], drawn: list[Tensor]
) -> None:
    detail = transport(natural, drawn)
    ours = [mended(detail, one) for one in drawn]
    assert torch.allclose(around(ours), around(natural), rtol=1e-6)
    mean = sum(one.mean(1) for one in ours)
    assert torch.allclose(mean, sum(one.double().mean(1) for one in natural), rtol=1e-6)


def test_means_of_voices_that_are_right_stay_where_they_are() -> None:
    flat = torch.randn(BINS, 4000, generator=torch.Generator().manual_seed(1))
    flat -= flat.mean(1, keepdim=True)
    drawn = [0.05 * flat + 2, 0.05 * flat - 2]  # details are small beside what tells voices apart
    natural = [0.06 * flat + 2, 0.06 * flat - 2]
    detail = transport(natural, drawn)
    for ours, theirs in zip(drawn, natural, strict=True):
        assert torch.allclose(mended(detail, ours).mean(1), theirs.double().mean(1), atol=0.02)


def test_what_the_decoder_hardly_draws_is_not_magnified_without_end() -> None:
    wanted, drawn = torch.randn(2, BINS, 4000, generator=torch.Generator().manual_seed(1))
    drawn[-1] = drawn[0] + 1e-6 * drawn[-1]
    matrix = transport([wanted], [drawn]).matrix
    assert torch.linalg.eigvalsh(matrix).max() <= LARGEST_GAIN + 1e-9


def test_the_map_is_the_nearest_and_changes_nothing_where_nothing_lacks(
    natural: list[Tensor], drawn: list[Tensor]
) -> None:
    matrix = transport(natural, drawn).matrix
    assert torch.allclose(matrix, matrix.mT)
    assert (torch.linalg.eigvalsh(matrix) > 0).all()  # symmetric and positive: the nearest
    same = transport(natural, natural)
    assert torch.allclose(same.matrix, torch.eye(BINS, dtype=torch.float64), atol=1e-6)


def toy_decoder() -> Decoder:
    torch.manual_seed(0)
    encoder = TokenEncoderConfig(
        vocabulary=9, dim=8, heads=2, mlp_dim=8, lower_layers=1, upper_layers=1, speaker_dim=3
    )
    config = DecoderConfig(
        encoder=encoder,
        velocity=None,
        bins=BINS,
        speaker_dim=3,
        steps=0,
        mel_offset=-5.0,
        mel_scale=2.0,
    )
    return Decoder(config).eval()


@torch.inference_mode()
def draws(decoder: Decoder) -> Tensor:
    speaker = torch.tensor([[0.3, -1.2, 0.5]])
    return decoder(torch.tensor([[1, 2, 3, 4]]), speaker)[0].double()


@pytest.mark.parametrize("emphasis", [1.0, 1.2])
def test_the_last_layer_draws_the_mended_features(
    natural: list[Tensor], drawn: list[Tensor], emphasis: float
) -> None:
    decoder, detail = toy_decoder(), transport(natural, drawn)
    before = draws(decoder)
    give_detail(decoder, detail, emphasis)
    after = draws(decoder)
    wanted = detail.natural[:, None] + emphasis * (mended(detail, before) - detail.natural[:, None])
    assert torch.allclose(after, wanted, atol=1e-4)


def test_a_sharper_decoder_draws_larger_ripples_and_the_same_level_and_tilt() -> None:
    decoder = toy_decoder()
    before = draws(decoder)
    sharpen(decoder, 1.2)
    waves = [
        torch.cos(torch.pi * k * (torch.arange(BINS, dtype=torch.float64) + 0.5) / BINS)
        for k in range(BINS)
    ]
    for number, wave in enumerate(waves):
        gain = 1.0 if number < TILT else 1.2
        assert torch.allclose(wave @ draws(decoder), gain * (wave @ before), atol=1e-4)


def test_a_factor_of_one_changes_nothing() -> None:
    assert torch.allclose(ripples(BINS, 1.0), torch.eye(BINS, dtype=torch.float64), atol=1e-9)
