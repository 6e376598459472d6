"""The token encoder: rows do not mix, and chunks see only what streaming will give them."""

import pytest
import torch
from toy_decoder import ENCODER

from mamtra.acoustic.relative_attention import attention_mask, by_distance_to_by_key
from mamtra.acoustic.token_encoder import TokenEncoder, TokenEncoderConfig
from mamtra.errors import ConfigError


@pytest.fixture
def encoder() -> TokenEncoder:
    torch.manual_seed(0)
    encoder = TokenEncoder(ENCODER).eval()
    for name, weight in encoder.named_parameters():
        if name.endswith(("content_bias", "position_bias")):
            torch.nn.init.normal_(weight)
    return encoder


@pytest.fixture
def tokens() -> torch.Tensor:
    return torch.randint(0, 20, (2, 13), generator=torch.Generator().manual_seed(1))


SPEAKER = torch.nn.functional.normalize(torch.randn(2, 6), dim=-1)


@pytest.mark.parametrize("time", [1, 2, 5])
def test_scores_by_distance_land_at_their_keys(time: int) -> None:
    distance = torch.arange(time - 1, -time - 1, -1)
    scores = distance.expand(1, 1, time, 2 * time).float()
    step = torch.arange(time)
    wanted = (step[:, None] - step[None]).float()
    assert torch.equal(by_distance_to_by_key(scores)[0, 0], wanted)


def test_a_chunk_sees_itself_and_everything_before() -> None:
    mask = attention_mask(torch.ones(1, 5, dtype=torch.bool), 2)[0, 0].int()
    assert mask.tolist() == [
        [1, 1, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 1, 1, 1],
    ]


@pytest.mark.parametrize("chunked", [False, True])
def test_rows_of_different_lengths_do_not_mix(
    encoder: TokenEncoder, tokens: torch.Tensor, chunked: bool
) -> None:
    both = encoder(tokens, SPEAKER, torch.tensor([6, 13]), chunked=chunked)
    alone = encoder(tokens[:1, :6], SPEAKER[:1], chunked=chunked)
    torch.testing.assert_close(both[:1, :12], alone, rtol=1e-5, atol=1e-5)


def test_in_chunks_nothing_beyond_the_lookahead_is_seen(
    encoder: TokenEncoder, tokens: torch.Tensor
) -> None:
    changed = tokens.clone()
    changed[:, 11:] = (changed[:, 11:] + 1) % 20
    before, after = (encoder(given, SPEAKER, chunked=True) for given in (tokens, changed))
    assert torch.equal(before[:, :16], after[:, :16])  # two chunks of 4 tokens, 3 of lookahead
    assert not torch.allclose(before[:, 16:], after[:, 16:])


def test_without_the_end_the_last_tokens_are_context(
    encoder: TokenEncoder, tokens: torch.Tensor
) -> None:
    whole = encoder(tokens, SPEAKER, chunked=True)
    piece = encoder(tokens[:, :11], SPEAKER, chunked=True, final=False)
    assert piece.shape[1] == 16
    torch.testing.assert_close(piece, whole[:, :16])


def test_whole_utterances_see_everything_and_the_speaker(
    encoder: TokenEncoder, tokens: torch.Tensor
) -> None:
    changed = tokens.clone()
    changed[:, -1] = (changed[:, -1] + 1) % 20
    whole = encoder(tokens, SPEAKER)
    assert not torch.allclose(whole[:, 0], encoder(changed, SPEAKER)[:, 0])
    assert not torch.allclose(whole, encoder(tokens, -SPEAKER))


def test_widths_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ConfigError, match="dim=18 must be even and a multiple of heads=4"):
        TokenEncoderConfig(dim=18, heads=4)
