"""The stand-in for the original is a working model with the original's sizes and costs."""

import sys

import pytest
import torch

from mamtra.benchmark.decode.baseline import Baseline, new_baseline
from mamtra.benchmark.decode.timing import filled_state
from mamtra.errors import ConfigError, MissingExtraError
from mamtra.sizing.sizes import COSYVOICE2, TOY, shaped
from mamtra.speech_lm import cross_lingual
from mamtra.speech_lm.prompt import speech_segment


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    return new_baseline(TOY.speech_lm)


def test_a_cached_step_gives_what_reading_everything_gives(baseline: Baseline) -> None:
    prompt = cross_lingual([3, 1, 4, 1, 5])
    state = baseline.new_state(1)
    baseline.read([prompt], state)
    stepped = baseline.step(torch.tensor([9]), state)
    whole = baseline.read([[*prompt, speech_segment([9])]], baseline.new_state(1))
    torch.testing.assert_close(stepped, whole)
    assert state.positions == [8]


def test_its_cache_holds_keys_and_values_of_every_token(baseline: Baseline) -> None:
    state = filled_state(baseline, 20, batch=2, room=5)
    backbone = TOY.backbone
    numbers = 2 * backbone.kv_heads * backbone.head_dim * backbone.layers
    assert state.nbytes == 2 * 20 * numbers * 4
    baseline.step(torch.tensor([1, 2]), state)
    assert state.nbytes == 2 * 21 * numbers * 4


def test_it_has_the_parameters_of_the_published_model() -> None:
    with torch.device("meta"):
        model = Baseline(COSYVOICE2.speech_lm)
    assert sum(weight.numel() for weight in model.parameters()) == 505_803_812


def test_its_text_head_is_computed_and_tied(baseline: Baseline) -> None:
    inner = baseline.language_model
    assert inner.lm_head.weight is inner.get_input_embeddings().weight
    seen = []
    handle = inner.lm_head.register_forward_hook(lambda *given: seen.append(given[-1].shape))
    baseline.read([cross_lingual([1, 2, 3])], baseline.new_state(1))
    handle.remove()
    assert seen == [(1, 5, TOY.speech_lm.text_vocabulary)]


def test_a_hybrid_has_no_original() -> None:
    with pytest.raises(ConfigError, match="attention only"):
        new_baseline(shaped(TOY, "1:1").speech_lm)


def test_without_transformers_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match=r"\[bench\]"):
        new_baseline(TOY.speech_lm)
