"""The speech LM against the original's answers, and against itself in pieces."""

import random
from dataclasses import asdict

import pytest
import torch
from reference import TOY_HEAD_DIM, synthetic_weights, tensors_of, toy_lm_shapes, values_of
from torch.testing import assert_close

from mamtra.backbone import BackboneConfig
from mamtra.config import from_dict
from mamtra.errors import ConfigError
from mamtra.interop.cosyvoice_lm import speech_lm_from_cosyvoice
from mamtra.speech_lm import SpeechLM, SpeechLMConfig, pack, pack_segments, training_sequence
from mamtra.speech_lm.prompt import speech_segment, uni_stream, zero_shot

TOY = BackboneConfig(
    dim=32,
    layout="AA",
    query_heads=4,
    kv_heads=2,
    head_dim=8,
    mlp_dim=48,
)


@pytest.fixture(scope="module")
def original():
    model, _ = speech_lm_from_cosyvoice(synthetic_weights(toy_lm_shapes()), TOY_HEAD_DIM)
    return model


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    return SpeechLM(SpeechLMConfig(backbone=TOY, text_vocabulary=30, speech_vocabulary=40)).eval()


@pytest.fixture(scope="module")
def teacher_forced():
    case = {name: tensor.flatten().tolist() for name, tensor in tensors_of("lm_teacher").items()}
    text, speech = case["text"], case["speech_token"]
    prompt = zero_shot(text, case["prompt_text"], [*case["prompt_speech_token"], *speech])
    return prompt, tensors_of("lm_teacher")


def seeded_draws(seed: int, count: int) -> list[float]:
    generator = random.Random(seed)
    return [generator.random() for _ in range(count)]


def reference_batch(model, draws):
    case = tensors_of("lm_train")
    sequences = []
    for row, draw in enumerate(draws):
        text = case["batch.text_token"][row, : case["batch.text_token_len"][row]].tolist()
        speech = case["batch.speech_token"][row, : case["batch.speech_token_len"][row]].tolist()
        sequences.append(training_sequence(text, speech, model.vocabulary, draw))
    return sequences


def test_teacher_forced_logits_equal_the_original(original, teacher_forced):
    prompt, case = teacher_forced
    inputs = original.embed(pack_segments([prompt]))
    assert float(inputs.double().sum()) == pytest.approx(float(case["lm_input_sum"]), rel=1e-6)
    hidden = original.backbone(inputs)
    scale = case["logits"].abs().max()
    assert_close(hidden[:, -1], case["hidden_last"], rtol=1e-4, atol=1e-4)
    assert_close(original.head(hidden) / scale, case["logits"] / scale, rtol=1e-4, atol=1e-5)
    assert_close(original.head(hidden).argmax(-1), case["argmax"])


def test_cached_steps_equal_the_original_whole_pass(original, teacher_forced):
    prompt, case = teacher_forced
    speech = prompt[-1].ids
    half = len(speech) // 2
    state = original.new_state(1)
    logits = [original.read([[*prompt[:-1], speech_segment(speech[:half])]], state)]
    logits += [original.step(torch.tensor([token]), state) for token in speech[half:]]
    wanted = case["logits"][0, -len(logits) :]
    scale = wanted.abs().max()
    assert_close(torch.cat(logits) / scale, wanted / scale, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_training_loss_and_layout_equal_the_original(original, seed):
    case, values = tensors_of("lm_train"), values_of("lm_train")
    sequences = reference_batch(original, seeded_draws(seed, 3))
    wanted = case[f"seeds.{seed}.target"]
    for sequence, target in zip(sequences, wanted.tolist(), strict=True):
        assert list(sequence.targets) == target[: len(sequence.targets)]
        assert set(target[len(sequence.targets) :]) <= {-1}
    batch = pack(sequences)
    assert batch.lengths.tolist() == case[f"seeds.{seed}.lm_input_len"].tolist()
    losses = original.loss(batch)
    assert float(losses.loss) == pytest.approx(values[f"seeds.{seed}.loss"], rel=1e-4)
    accuracy = int(losses.correct) / losses.predicted
    assert accuracy == pytest.approx(values[f"seeds.{seed}.acc"], rel=1e-5)


def test_padding_changes_no_logit(small):
    vocabulary = small.vocabulary
    short = uni_stream([1, 2, 3], [4, 5, 6, 7], vocabulary)
    long = uni_stream([9] * 11, [8] * 17, vocabulary)
    alone, beside = small(pack([short])), small(pack([short, long]))
    assert_close(beside[: len(alone)], alone)


def test_the_loss_hands_out_logits_and_inputs_when_asked(small):
    batch = pack(
        [uni_stream([1, 2], [3, 4, 5], small.vocabulary), uni_stream([1], [2], small.vocabulary)]
    )
    losses = small.loss(batch, keep_logits=True, keep_inputs=True)
    assert losses.logits.shape == (6, 43)
    assert losses.inputs.shape == (7 + 4, 32)
    assert_close(losses.logits, small(batch))
    assert small.loss(batch).logits is None


def test_every_table_receives_a_gradient(small):
    small.loss(pack([uni_stream([1, 2], [3, 4], small.vocabulary)])).loss.backward()
    assert all(weight.grad is not None for weight in small.parameters())
    assert set(small.text_embedding.weight.grad.abs().sum(1).nonzero().flatten().tolist()) == {1, 2}
    small.zero_grad(set_to_none=True)


def test_rows_of_different_lengths_are_read_as_if_alone(small):
    rows = [zero_shot([1, 2, 3], [], []), zero_shot([4], [5], [6, 7, 8, 9])]
    both = small.new_state(2)
    together = [small.read(rows, both), small.step(torch.tensor([1, 2]), both)]
    for index, row in enumerate(rows):
        state = small.new_state(1)
        alone = [small.read([row], state), small.step(torch.tensor([index + 1]), state)]
        for beside, single in zip(together, alone, strict=True):
            assert_close(beside[index], single[0])


def test_a_config_is_rebuilt_from_plain_values(small):
    config = small.config
    assert from_dict(SpeechLMConfig, asdict(config), "the test") == config
    with pytest.raises(ConfigError, match="text_vocabulary=0"):
        SpeechLMConfig(backbone=TOY, text_vocabulary=0)


def test_an_empty_batch_is_refused():
    with pytest.raises(ConfigError, match="at least one sequence"):
        pack([])
