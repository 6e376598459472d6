"""Chatterbox's language model against the original: conditioning, logits, ids; and its hybrid."""

import numpy as np
import pytest
import torch
from eight_bit import INT8
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
    tensors_of,
    values_of,
    voice_of,
    weights,
)
from torch_draws import seeded_as_the_original

from mamtra.backbone.positions import RopeScaling
from mamtra.errors import CheckpointError, ConfigError, GenerationError, VoiceError
from mamtra.generation import request as request_module
from mamtra.generation import sampling as sampling_module
from mamtra.generation.generate import generate, generate_batch
from mamtra.generation.guard import GuardConfig
from mamtra.generation.request import Request
from mamtra.generation.sampling import SamplingConfig, choose
from mamtra.interop.chatterbox_lm import (
    ROPE_THETA,
    SCALING,
    speech_lm_from_chatterbox,
)
from mamtra.runtime.protocols import SpeechModel, State
from mamtra.runtime.torch.engine import EngineConfig, prepare
from mamtra.runtime.torch.guided import GuidedSpeechModel
from mamtra.speech_lm import SpeechVocabulary
from mamtra.speech_lm.prompt import Segment, SpeakerPrompt, conditioned, speech_segment
from mamtra.transfer.student import make_student


def close(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_rotary_frequencies_are_the_originals():
    frequency = ROPE_THETA ** -(torch.arange(0, 16, 2) / 16)
    close(SCALING.scaled(frequency), tensors_of("t3_teacher")["inv_freq"])
    with pytest.raises(ConfigError, match=r"factor=0\.5"):
        RopeScaling(factor=0.5)


@pytest.mark.parametrize(("emotion", "name"), [(0.5, ""), (1.2, "_emotion_1_2")])
def test_the_vectors_of_a_voice_equal_the_original(emotion, name):
    model = speech_lm()
    assert model.conditioning is not None
    found = model.conditioning.prefix(voice_of("t3_teacher", emotion), model.speech_embedding)
    close(found, tensors_of("t3_teacher")[f"conditioning{name}"][0])


def test_teacher_forced_logits_equal_the_original():
    case, model = tensors_of("t3_teacher"), speech_lm()
    voice, text, start = segments_of("t3_teacher")
    speech = case["speech"].flatten().tolist()
    row = [voice, text, Segment("special", start.ids[:1]), speech_segment(speech)]
    inputs, _ = GuidedSpeechModel(model).embed([row])
    assert float(inputs[0].double().sum()) == pytest.approx(float(case["input_sum"]), rel=1e-5)
    with torch.inference_mode():
        hidden = model.backbone(inputs[:1])
        logits = model.head(hidden[:, -len(speech) - 1 :])
    close(logits, case["speech_logits"])
    close(hidden[:, -1], case["last_hidden"])


@pytest.mark.parametrize("run", RUNS)
def test_ids_equal_the_original(monkeypatch, run):
    monkeypatch.setattr(request_module, "seeded", SourceOverAllIds)
    monkeypatch.setattr(sampling_module, "most_probable", keep)
    sampling, guidance, seed = RUNS[run]
    guided = GuidedSpeechModel(speech_lm(), guidance)
    result = generate(guided, request_of(seed), sampling, PLAIN)
    expected = values_of("t3_inference")[f"outputs.{run}.ids"]
    assert [*result.ids, guided.vocabulary.end] == expected  # the original keeps the end


def test_without_guidance_it_speaks_where_the_original_raises():
    result = generate(GuidedSpeechModel(speech_lm(), 0.0), request_of(), OWN, PLAIN)
    assert result.reason == "end"
    assert values_of("t3_inference")["outputs.cfg_0/seed0.error"]


def test_it_speaks_by_the_protocol_of_every_engine():
    guided = GuidedSpeechModel(speech_lm())
    assert isinstance(guided, SpeechModel)
    assert isinstance(guided.new_state(1), State)
    assert guided.vocabulary == SpeechVocabulary(200, 30, 1, 2)
    assert guided.text_vocabulary == REFERENCE.text


def test_texts_side_by_side_say_what_each_says_alone():
    guided = GuidedSpeechModel(speech_lm())
    requests = [request_of(seed) for seed in range(5)]
    short = segments_of("t3_inference")
    requests.append(
        Request((short[0], Segment("text", (*short[1].ids[:7], 0)), short[2]), 6, seed=9)
    )
    together = dict(generate_batch(guided, requests, OWN, PLAIN, rows=3))
    for number, request in enumerate(requests):
        assert together[number] == generate(guided, request, OWN, PLAIN)


@pytest.mark.parametrize("dtype", ["float32", INT8])
def test_a_prepared_model_follows_the_plain_one(dtype):
    built = speech_lm_from_chatterbox(
        {name: tensor.clone() for name, tensor in weights().items()},
        REFERENCE.codes,
        REFERENCE.head_dim,
    )[0]
    models = [GuidedSpeechModel(speech_lm())]
    models.append(GuidedSpeechModel(prepare(built, EngineConfig(dtype=dtype, threads=1))))
    states = [model.new_state(2) for model in models]
    rows = [request_of().segments, request_of().segments]
    found = [[model.read(rows, state)] for model, state in zip(models, states, strict=True)]
    for token in (5, 60, 199):
        for model, state, logits in zip(models, states, found, strict=True):
            logits.append(model.step([token, token + 1], state))
    plain, quick = (np.stack(logits) for logits in found)
    error = np.linalg.norm(quick - plain) / np.linalg.norm(plain)
    assert error < (1e-5 if dtype == "float32" else 0.1)


def test_recorded_steps_are_refused_in_one_sentence():
    with pytest.raises(ConfigError, match="learned positions"):
        prepare(speech_lm(), EngineConfig(kind="graph"))


@pytest.mark.parametrize("layout", ["AMA", "MMM"])
def test_a_hybrid_of_it_speaks(layout):
    student, report = make_student(speech_lm(), layout)
    assert not report.named("unused") or all("mixer" in name for name in report.named("unused"))
    guided = GuidedSpeechModel(student.eval())
    guard = GuardConfig(min_per_text_token=1.0, max_per_text_token=2.0, attempts=1)
    found = generate(guided, request_of(), OWN, guard)
    assert 14 <= len(found.ids) <= 28
    teacher = generate(GuidedSpeechModel(speech_lm()), request_of(), OWN, guard)
    assert found.state_bytes < teacher.state_bytes


def test_a_voice_that_does_not_fit_is_refused():
    guided, state = GuidedSpeechModel(speech_lm()), GuidedSpeechModel(speech_lm()).new_state(1)
    good = voice_of("t3_inference")
    for voice, message in [
        (SpeakerPrompt(speaker=good.speaker[:9], prompt=good.prompt), "9 numbers"),
        (SpeakerPrompt(speaker=good.speaker, prompt=()), "0 speech tokens"),
        (SpeakerPrompt(speaker=good.speaker, prompt=good.prompt + good.prompt), "300 speech"),
        (SpeakerPrompt(speaker=good.speaker, prompt=(230,)), "outside 0 to 229"),
    ]:
        with pytest.raises(VoiceError, match=message):
            guided.read([conditioned([1, 2], voice, sizes())], state)
    with pytest.raises(ConfigError, match="reads a voice first"):
        guided.read([segments_of("t3_inference")[1:]], state)


def test_text_and_speech_beyond_the_learned_positions_are_refused():
    guided = GuidedSpeechModel(speech_lm())
    with pytest.raises(GenerationError, match="2050"):
        guided.read(
            [conditioned([1] * 2049, voice_of("t3_inference"), sizes())], guided.new_state(1)
        )
    state = guided.new_state(1)
    guided.read([segments_of("t3_inference")], state)
    state.spoken[0] = 4_099
    with pytest.raises(GenerationError, match="4099 speech"):
        guided.step([1], state)


def test_other_checkpoints_are_refused_by_name():
    turbo = {"tfmr.h.0.ln_1.weight": torch.zeros(4)}
    with pytest.raises(CheckpointError, match="another body"):
        speech_lm_from_chatterbox(turbo)
    strange = weights() | {"tfmr.layers.0.self_attn.q_proj.bias": torch.zeros(64)}
    with pytest.raises(CheckpointError, match=r"q_proj\.bias"):
        speech_lm_from_chatterbox(strange, REFERENCE.codes, REFERENCE.head_dim)
    with pytest.raises(CheckpointError, match="too few for 6561"):
        speech_lm_from_chatterbox(weights())


def test_rare_ids_and_written_ids_are_drawn_less():
    logits = np.array([4.0, 3.9, -1.0, -8.0], np.float32)
    greedy = SamplingConfig(method="greedy", repetition_penalty=1.2)
    source = seeded_as_the_original(0)
    assert choose(logits, (), (), source, greedy) == 0
    assert choose(logits, (), (0,), source, greedy) == 1
    rare = SamplingConfig(method="top", top_p=1.0, top_k=4, min_p=0.05)
    assert {choose(logits, (), (), source, rare) for _ in range(200)} == {0, 1}
    for wrong in ({"min_p": 1.5}, {"repetition_penalty": 0.5}):
        with pytest.raises(ConfigError, match="must"):
            SamplingConfig(**wrong)
