"""The stand-in for the original is a working model with the original's sizes and costs."""

import sys

import pytest
import torch

from mamtra.benchmark.baseline import Yardstick, new_yardstick
from mamtra.benchmark.prefilled_state import filled_state
from mamtra.errors import ConfigError, MissingExtraError
from mamtra.sizing.sizes import COSYVOICE2, TOY, shaped
from mamtra.speech_lm import cross_lingual
from mamtra.speech_lm.prompt import speech_segment


@pytest.fixture(scope="module")
def yardstick() -> Yardstick:
    return new_yardstick(TOY.speech_lm)


def test_a_cached_step_gives_what_reading_everything_gives(yardstick: Yardstick) -> None:
    prompt = cross_lingual([3, 1, 4, 1, 5])
    state = yardstick.new_state(1)
    yardstick.read([prompt], state)
    stepped = yardstick.step(torch.tensor([9]), state)
    whole = yardstick.read([[*prompt, speech_segment([9])]], yardstick.new_state(1))
    torch.testing.assert_close(stepped, whole)
    assert state.positions == [8]


def test_its_cache_holds_keys_and_values_of_every_token(yardstick: Yardstick) -> None:
    state = filled_state(yardstick, 20, batch=2, room=5)
    backbone = TOY.backbone
    numbers = 2 * backbone.kv_heads * backbone.head_dim * backbone.layers
    assert state.nbytes == 2 * 20 * numbers * 4
    yardstick.step(torch.tensor([1, 2]), state)
    assert state.nbytes == 2 * 21 * numbers * 4


def test_it_has_the_parameters_of_the_published_model() -> None:
    with torch.device("meta"):
        model = Yardstick(COSYVOICE2.speech_lm)
    assert sum(weight.numel() for weight in model.parameters()) == 505_803_812


def test_its_text_head_is_computed_and_tied(yardstick: Yardstick) -> None:
    inner = yardstick.language_model
    assert inner.lm_head.weight is inner.get_input_embeddings().weight
    seen = []
    handle = inner.lm_head.register_forward_hook(lambda *given: seen.append(given[-1].shape))
    yardstick.read([cross_lingual([1, 2, 3])], yardstick.new_state(1))
    handle.remove()
    assert seen == [(1, 5, TOY.speech_lm.text_vocabulary)]


def test_a_hybrid_has_no_original() -> None:
    with pytest.raises(ConfigError, match="attention only"):
        new_yardstick(shaped(TOY, "1:1").speech_lm)


def test_without_transformers_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match=r"mamtra\[bench\]"):
        new_yardstick(TOY.speech_lm)
