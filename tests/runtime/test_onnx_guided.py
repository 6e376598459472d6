"""Graphs of Chatterbox's language model against the module they were exported from."""

import numpy as np
import pytest
import torch

pytest.importorskip("onnx")
from onnx_toys import open_speech_lm
from reference_chatterbox import (
    OWN,
    PLAIN,
    REFERENCE,
    RUNS,
    SourceOverAllIds,
    keep,
    request_of,
    segments_of,
    sizes,
    speech_lm,
    values_of,
    voice_of,
)

from mamtra.errors import ConfigError, GenerationError, VoiceError
from mamtra.generation import request as request_module
from mamtra.generation import sampling as sampling_module
from mamtra.generation.generate import generate, generate_batch
from mamtra.generation.request import Request
from mamtra.runtime.onnx.guided import GuidedOnnxModel
from mamtra.runtime.protocols import SpeechModel, State
from mamtra.runtime.torch.guided import GuidedSpeechModel
from mamtra.speech_lm.prompt import Segment, SpeakerPrompt, conditioned, speech_segment
from mamtra.transfer.student import make_student


def opened(folder, module=None, **how) -> GuidedOnnxModel:
    """The graphs of the toy, or of a hybrid of it."""
    found = open_speech_lm(module or speech_lm(), folder, **how)
    assert isinstance(found, GuidedOnnxModel)
    return found


@pytest.fixture(scope="module")
def guided(tmp_path_factory) -> GuidedOnnxModel:
    return opened(tmp_path_factory.mktemp("guided"))


def shorter() -> list[Segment]:
    """Another text, with the first speech ids given."""
    voice, text, start = segments_of("t3_inference")
    return [voice, Segment("text", (*text.ids[:7], 0)), start, speech_segment([7, 8, 9])]


def logits_of(model, rows, ids) -> np.ndarray:
    state = model.new_state(len(rows))
    found = [model.read(rows, state)]
    return np.stack([*found, *(model.step(each, state) for each in ids)])


@pytest.mark.parametrize("form", ["fused", "standard"])
@pytest.mark.parametrize("layout", ["AAA", "AMA", "MMM"])
def test_logits_are_the_modules(tmp_path, layout, form):
    module = speech_lm() if layout == "AAA" else make_student(speech_lm(), layout)[0].eval()
    rows = [list(request_of().segments), shorter()]
    ids = [[5, 6], [60, 61], [199, 3]]
    expected = logits_of(GuidedSpeechModel(module), rows, ids)
    found = logits_of(opened(tmp_path, module, form=form), rows, ids)
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("run", [run for run, (_, guidance, _) in RUNS.items() if guidance == 0.5])
def test_ids_equal_the_original(monkeypatch, guided, run):
    monkeypatch.setattr(request_module, "seeded", SourceOverAllIds)
    monkeypatch.setattr(sampling_module, "most_probable", keep)
    sampling, _, seed = RUNS[run]
    result = generate(guided, request_of(seed), sampling, PLAIN)
    assert [*result.ids, guided.vocabulary.end] == values_of("t3_inference")[f"outputs.{run}.ids"]


def test_it_speaks_by_the_protocol_of_every_engine(guided):
    assert isinstance(guided, SpeechModel)
    assert isinstance(guided.new_state(1), State)
    assert guided.vocabulary == GuidedSpeechModel(speech_lm()).vocabulary
    assert guided.text_vocabulary == REFERENCE.text


def test_texts_side_by_side_say_what_each_says_alone(guided):
    requests = [request_of(seed) for seed in range(5)]
    requests.append(Request(tuple(shorter()[:3]), 6, seed=9))
    together = dict(generate_batch(guided, requests, OWN, PLAIN, rows=3))
    for number, request in enumerate(requests):
        assert together[number].ids == generate(guided, request, OWN, PLAIN).ids


def test_the_first_rows_go_on_while_others_wait(guided):
    rows = [list(request_of().segments), shorter()]
    both, first = guided.new_state(2), guided.new_state(2)
    for state in (both, first):
        guided.read(rows, state)
    alone = guided.step([5], first)
    np.testing.assert_allclose(alone, guided.step([5, 6], both)[:1], atol=1e-5)
    late = guided.new_state(1)
    late.copy_row(0, first, 1)
    first.keep_rows([1])
    expected = logits_of(guided, [rows[1]], [[6], [9]])[-1]
    for state in (late, first):
        guided.step([6], state)
        np.testing.assert_allclose(guided.step([9], state), expected, atol=1e-4)
        assert state.spoken == [5]


def test_eight_bits_stay_near(tmp_path, guided):
    rows, ids = [list(request_of().segments)], [[5], [60]]
    plain, few = (logits_of(each, rows, ids) for each in (guided, opened(tmp_path, bits=8)))
    assert np.linalg.norm(few - plain) < 0.1 * np.linalg.norm(plain)


def test_what_does_not_fit_is_refused(guided):
    state, good = guided.new_state(1), voice_of("t3_inference")
    for voice, message in [
        (SpeakerPrompt(speaker=good.speaker[:9], prompt=good.prompt), "9 numbers"),
        (SpeakerPrompt(speaker=good.speaker, prompt=()), "0 speech tokens"),
        (SpeakerPrompt(speaker=good.speaker, prompt=(230,)), "outside 0 to 229"),
    ]:
        with pytest.raises(VoiceError, match=message):
            guided.read([conditioned([1, 2], voice, sizes())], state)
    with pytest.raises(ConfigError, match="reads a voice first"):
        guided.read([segments_of("t3_inference")[1:]], state)
    with pytest.raises(GenerationError, match="2051 text ids are more than the 2050"):
        guided.read([conditioned([1] * 2049, good, sizes())], state)
    guided.read([segments_of("t3_inference")], state)
    with pytest.raises(ConfigError, match="2 rows do not fit"):
        guided.read([segments_of("t3_inference")] * 2, state)
    with pytest.raises(ConfigError, match="2 ids do not fit a state of 1 rows"):
        guided.step([1, 2], state)
    state.spoken[0] = 4_099
    with pytest.raises(GenerationError, match="4101 speech ids are more than the 4100"):
        guided.step([1], state)
    with pytest.raises(ConfigError, match="no reading head"):
        guided.looked([], [], state, 0)


def test_the_vectors_of_a_voice_are_the_modules(guided):
    model, voice = speech_lm(), voice_of("t3_inference", 1.2)
    assert model.conditioning is not None
    with torch.inference_mode():
        expected = model.conditioning.prefix(voice, model.speech_embedding)
    found = guided._vectors(voice)
    assert not found[0].any()
    np.testing.assert_allclose(found[1:], expected.numpy(), atol=1e-4, rtol=1e-4)
