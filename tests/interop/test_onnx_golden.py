"""What the original CosyVoice 2 answered at toy size, through the exported graphs."""

import numpy as np
import pytest
import torch

pytest.importorskip("onnx")
from onnx_toys import open_decoder, open_speech_lm, open_vocoder
from reference import TOY_HEAD_DIM, synthetic_weights, tensors_of, toy_lm_shapes, values_of
from torch_draws import seeded_as_the_original
from toy_flow import NOISE, decoder
from toy_vocoder import reference_noise, relative, toy_vocoder

from mamtra.generation import bistream
from mamtra.generation import request as request_module
from mamtra.generation.bistream import stream_bistream
from mamtra.generation.generate import generate
from mamtra.generation.guard import GuardConfig
from mamtra.generation.request import Request, Token
from mamtra.interop.cosyvoice_lm import speech_lm_from_cosyvoice
from mamtra.runtime.protocols import EncodedPrompt
from mamtra.speech_lm.prompt import cross_lingual, zero_shot


@pytest.mark.parametrize("form", ["fused", "standard"])
@pytest.mark.parametrize("way", ["zero_shot", "cross_lingual"])
def test_the_likeliest_ids_are_those_of_the_original(way, form, tmp_path):
    module, _ = speech_lm_from_cosyvoice(synthetic_weights(toy_lm_shapes()), TOY_HEAD_DIM)
    model = open_speech_lm(module, tmp_path, form)
    case = {name: value.flatten().tolist() for name, value in tensors_of("lm_inference").items()}
    prompt = case["prompt_text"], case["prompt_speech_token"]
    text = case["text"]
    segments = zero_shot(text, *prompt) if way == "zero_shot" else cross_lingual(text)
    state = model.new_state(1)
    logits = model.read([segments], state)[0]
    for expected in values_of("lm_inference")[f"outputs.{way}/greedy"]:
        assert logits[: model.vocabulary.codes].argmax() == expected
        logits = model.step([expected], state)[0]
    assert logits.argmax() == model.vocabulary.end


@pytest.mark.parametrize("form", ["fused", "standard"])
@pytest.mark.parametrize("seed", [0, 1])
def test_drawn_ids_are_those_of_the_original(seed, form, tmp_path, monkeypatch):
    monkeypatch.setattr(request_module, "seeded", seeded_as_the_original)
    module, _ = speech_lm_from_cosyvoice(synthetic_weights(toy_lm_shapes()), TOY_HEAD_DIM)
    model = open_speech_lm(module, tmp_path, form)
    case = {name: value.flatten().tolist() for name, value in tensors_of("lm_inference").items()}
    voice = case["prompt_text"], case["prompt_speech_token"]
    for way, prompt in (("zero_shot", voice), ("cross_lingual", ())):
        request = Request.of(case["text"], *prompt, seed=seed)
        result = generate(model, request, guard=GuardConfig(attempts=1))
        assert list(result.ids) == values_of("lm_inference")[f"outputs.{way}/ras_seed{seed}"]
        assert result.reason == "end"


@pytest.mark.parametrize("seed", [0, 1])
def test_ids_drawn_while_text_arrives_are_those_of_the_original(seed, tmp_path, monkeypatch):
    # until the original reads an id twice: five blocks, of which a prompt fills the first
    monkeypatch.setattr(bistream, "seeded", seeded_as_the_original)
    module, _ = speech_lm_from_cosyvoice(synthetic_weights(toy_lm_shapes()), TOY_HEAD_DIM)
    model = open_speech_lm(module, tmp_path, "fused")
    case = {name: value.flatten().tolist() for name, value in tensors_of("lm_bistream").items()}
    voice = case["prompt_text"], case["prompt_speech_token"]
    for way, prompt, blocks in (("prompt", voice, 7 + 3 * 15), ("noprompt", ((), ()), 3 * 15)):
        arriving = ([token] for token in case["longtext"])
        records = stream_bistream(model, arriving, *prompt, seed=seed)
        ids = [record.id for record in records if isinstance(record, Token)]
        expected = values_of("lm_bistream")[f"outputs.{way}/ras_seed{seed}.0"]
        assert ids[:blocks] == expected[:blocks]


@pytest.mark.parametrize(
    ("count", "how", "answer"),
    [
        (None, {}, "offline"),
        (None, {"chunked": True}, "streaming_full"),
        (23, {"chunked": True, "final": False}, "streaming_chunks.0.1"),
        (48, {"chunked": True, "final": False}, "streaming_chunks.1.1"),
    ],
)
def test_mel_features_are_those_of_the_original(count, how, answer, tmp_path):
    case = tensors_of("flow")
    voice = EncodedPrompt(
        tokens=case["prompt_token"][0].numpy().astype(np.int64),
        mel=case["prompt_feat"][0].T.numpy(),
        speaker=case["embedding"][0].numpy(),
    )
    tokens = case["token"][0, :count].tolist()
    got = open_decoder(decoder().eval(), tmp_path).decode(tokens, voice, NOISE[0].numpy(), **how)
    expected = case[answer][0].numpy()
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() < 1e-4 * np.abs(expected).max()


def test_sound_is_that_of_the_original_but_for_its_rounded_phases(tmp_path):
    case, noise = tensors_of("hift"), reference_noise(0, 60)
    vocoder = open_vocoder(toy_vocoder().eval(), tmp_path)
    samples = vocoder.speak(case["mel"][0].numpy(), noise[0].numpy())
    assert relative(torch.tensor(samples)[None], case["wav_seed0"]) < 5e-4
