"""The speech tokenizer: padding changes nothing, loudness and colour change nothing, gradients
pass."""

import torch

from mamtra.acoustic.quantizer import Quantizer
from mamtra.acoustic.speech_tokenizer import Recogniser, SpeechTokenizer, SpeechTokenizerConfig

CONFIG = SpeechTokenizerConfig(bins=8, dim=16, blocks=2, digits=3)


def test_padding_changes_no_token() -> None:
    torch.manual_seed(0)
    tokenizer = SpeechTokenizer(CONFIG).eval()
    mel = torch.randn(2, 8, 40)
    short = tokenizer.encode(mel[:1, :, :22])
    both = tokenizer.encode(mel, torch.tensor([22, 40]))
    assert torch.equal(both[0, :11], short[0])
    assert torch.equal(both[1:], tokenizer.encode(mel[1:]))


def test_the_colour_of_the_recording_changes_no_token() -> None:
    torch.manual_seed(0)
    tokenizer = SpeechTokenizer(CONFIG).eval()
    mel = torch.randn(1, 8, 40)
    colour = torch.randn(1, 8, 1)
    assert torch.equal(tokenizer.encode(mel), tokenizer.encode(mel + colour))


def test_every_code_can_be_reached_and_read() -> None:
    quantizer = Quantizer(3, 3)
    with torch.no_grad():
        quantizer.down.weight.copy_(5 * torch.eye(3))
        quantizer.down.bias.zero_()
    levels = torch.cartesian_prod(*[torch.tensor([-1.0, 0.0, 1.0])] * 3)
    ids = quantizer.ids(levels[None])
    assert sorted(ids[0].tolist()) == list(range(27))


def test_the_gradient_passes_the_rounding() -> None:
    torch.manual_seed(0)
    model = Recogniser(CONFIG, phones=5, speakers=2)
    phones, drawn, melody = model(
        torch.randn(2, 8, 20), torch.tensor([20, 14]), torch.tensor([0, 1])
    )
    assert phones.shape == (2, 20, 6)
    assert drawn.shape == (2, 8, 20)
    assert melody.shape == (2, 20, 2)
    (phones[..., 1].sum() + drawn.sum()).backward()
    assert model.tokenizer.stem.weight.grad.abs().sum() > 0
