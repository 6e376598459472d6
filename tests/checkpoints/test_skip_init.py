"""Modules built to be filled: nothing is drawn, and nothing outside is changed."""

import torch
from tiny_model import SPEECH_LM

from mamtra.checkpoints.skip_init import skip_init
from mamtra.speech_lm import SpeechLM


def test_a_model_made_so_has_every_weight_in_its_shape_and_type() -> None:
    with skip_init():
        empty = SpeechLM(SPEECH_LM)
    usual = SpeechLM(SPEECH_LM).state_dict()
    assert {name: (weight.shape, weight.dtype) for name, weight in empty.state_dict().items()} == {
        name: (weight.shape, weight.dtype) for name, weight in usual.items()
    }
    empty.load_state_dict(usual)
    assert all(torch.equal(weight, usual[name]) for name, weight in empty.state_dict().items())


def test_nothing_is_drawn_inside_and_everything_after() -> None:
    torch.manual_seed(3)
    with skip_init():
        torch.nn.Embedding(4, 4)
        torch.nn.Linear(4, 4)
    after = torch.rand(4)
    torch.manual_seed(3)
    assert torch.equal(after, torch.rand(4))
    assert torch.nn.Linear(3, 2).weight.abs().sum() > 0


def test_the_type_is_the_final_one_and_the_default_comes_back() -> None:
    with skip_init(dtype=torch.bfloat16):
        layer = torch.nn.Linear(3, 2)
    assert layer.weight.dtype == torch.bfloat16
    assert torch.nn.Linear(3, 2).weight.dtype == torch.float32
    assert torch.nn.Linear(3, 2).weight.abs().sum() > 0
