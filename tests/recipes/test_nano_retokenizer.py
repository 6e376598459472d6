"""Tokens that features were made from come back when the features are tokenized again."""

import pytest
import torch
from torch.testing import assert_close

from mamtra.acoustic.quantizer import BOUND
from mamtra.acoustic.speech_tokenizer import SpeechTokenizer, SpeechTokenizerConfig
from mamtra.recipes.nano.retokenizer import EDGE, MARGIN, Retokenizer

CONFIG = SpeechTokenizerConfig(bins=10, dim=16, digits=3, blocks=2)


@pytest.fixture
def retokenizer() -> Retokenizer:
    torch.manual_seed(0)
    tokenizer = SpeechTokenizer(CONFIG)
    torch.nn.init.normal_(tokenizer.quantizer.down.weight, std=0.5)
    return Retokenizer(tokenizer)


@pytest.fixture
def mel() -> torch.Tensor:
    return torch.randn(2, CONFIG.bins, 13, generator=torch.Generator().manual_seed(1)) - 6


FRAMES = torch.tensor([13, 8])


def heard(retokenizer: Retokenizer, mel: torch.Tensor) -> torch.Tensor:
    """The numbers of the codes that the tokenizer gives."""
    return retokenizer.levels(retokenizer.tokenizer.encode(mel, FRAMES // 2 * 2).clone())


def test_a_token_tells_its_numbers(retokenizer: Retokenizer, mel: torch.Tensor) -> None:
    numbers, _ = retokenizer.numbers(mel, FRAMES)
    assert_close(heard(retokenizer, mel), (numbers.tanh() * BOUND).round())
    assert retokenizer.levels(torch.tensor([[0, 13, 26]])).tolist() == [
        [[-1.0] * 3, [0.0] * 3, [1.0] * 3]
    ]


def test_all_tokens_of_the_same_features_come_back(
    retokenizer: Retokenizer, mel: torch.Tensor
) -> None:
    levels = heard(retokenizer, mel)
    same = retokenizer.missed(mel, FRAMES, levels)
    other = retokenizer.missed(mel.flip(1), FRAMES, levels)
    assert float(same["kept"]) == 1.0
    assert float(other["kept"]) < 0.7
    assert 0 < float(same["tokens"]) < MARGIN < float(other["tokens"])


def test_an_odd_last_frame_belongs_to_no_token(retokenizer: Retokenizer, mel: torch.Tensor) -> None:
    odd, _ = retokenizer.numbers(mel[:1], torch.tensor([13]))
    even, _ = retokenizer.numbers(mel[:1, :, :12], torch.tensor([12]))
    assert_close(odd, even)


def test_padding_does_not_count(retokenizer: Retokenizer, mel: torch.Tensor) -> None:
    levels = heard(retokenizer, mel)
    alone = retokenizer.missed(mel[1:, :, :8], FRAMES[1:], levels[1:, :4] * -1)
    noisy = torch.cat([mel[1:, :, :8], torch.full((1, CONFIG.bins, 5), 9.0)], 2)
    padded = retokenizer.missed(noisy, FRAMES[1:], levels[1:] * -1)
    assert_close(padded["tokens"], alone["tokens"])
    assert_close(padded["kept"], alone["kept"])


@pytest.mark.parametrize(
    ("number", "level", "missed"),
    [
        (EDGE + MARGIN, 1, 0.0),
        (-EDGE - MARGIN - 3, -1, 0.0),
        (EDGE - MARGIN, 0, 0.0),
        (EDGE, 1, MARGIN),
        (EDGE, 0, MARGIN),
        (-1.0, 1, EDGE + MARGIN + 1),
    ],
)
def test_a_number_has_to_lie_beyond_the_edge_by_a_margin(
    retokenizer: Retokenizer,
    monkeypatch: pytest.MonkeyPatch,
    number: float,
    level: int,
    missed: float,
) -> None:
    given = torch.full((1, 1, 1), number), torch.ones(1, 1, 1)
    monkeypatch.setattr(retokenizer, "numbers", lambda *_: given)
    wanted = torch.full((1, 1, 1), float(level))
    found = retokenizer.missed(torch.zeros(1, 10, 2), torch.tensor([2]), wanted)
    assert_close(found["tokens"], torch.tensor(missed))


def test_features_learn_from_it_and_the_tokenizer_does_not(
    retokenizer: Retokenizer, mel: torch.Tensor
) -> None:
    levels = heard(retokenizer, mel.flip(1))
    features = mel.clone().requires_grad_()
    retokenizer.missed(features, FRAMES, levels)["tokens"].backward()
    assert features.grad is not None
    assert features.grad[0].abs().max() > 0
    assert not any(weight.requires_grad for weight in retokenizer.parameters())
