"""Generation against the original's ids, in batches, and under guard."""

import itertools
from dataclasses import replace

import pytest
import torch
from reference import TOY_HEAD_DIM, synthetic_weights, tensors_of, toy_lm_shapes, values_of
from torch_draws import seeded_as_the_original

from mamtra.backbone import BackboneConfig
from mamtra.errors import ConfigError, TextError
from mamtra.generation import request as request_module
from mamtra.generation.generate import generate, generate_batch, stream
from mamtra.generation.guard import GuardConfig, LoopDetector
from mamtra.generation.queue import Generation, better
from mamtra.generation.request import Request, Stopped, Token
from mamtra.generation.sampling import SamplingConfig
from mamtra.interop.cosyvoice_lm import speech_lm_from_cosyvoice
from mamtra.runtime.torch.speech_model import TorchSpeechModel
from mamtra.speech_lm import SpeechLM, SpeechLMConfig

GREEDY, RAS = SamplingConfig(method="greedy"), SamplingConfig()
PLAIN = GuardConfig(attempts=1)
AFTER_TASK = 63  # the one-hot position of the task mark in `chain`


@pytest.fixture(scope="module")
def original():
    model, _ = speech_lm_from_cosyvoice(synthetic_weights(toy_lm_shapes()), TOY_HEAD_DIM)
    return TorchSpeechModel(model)


@pytest.fixture(scope="module")
def case():
    return {name: tensor.flatten().tolist() for name, tensor in tensors_of("lm_inference").items()}


@pytest.fixture(scope="module")
def hybrid():
    torch.manual_seed(3)
    sizes = {"dim": 32, "query_heads": 4, "kv_heads": 2, "head_dim": 8, "mlp_dim": 48}
    config = SpeechLMConfig(
        backbone=BackboneConfig(**sizes, layout="AMMA"), text_vocabulary=30, speech_vocabulary=40
    )
    model = SpeechLM(config).eval()
    with torch.no_grad():
        model.head.weight.mul_(3)
    return TorchSpeechModel(model)


def chain(following: dict[int, int]) -> TorchSpeechModel:
    """A real model whose weights say one id after the other; 40 is the end, -1 the first."""
    sizes = {"dim": 64, "query_heads": 1, "kv_heads": 1, "head_dim": 2, "mlp_dim": 2}
    config = SpeechLMConfig(
        backbone=BackboneConfig(**sizes, layout="A"), text_vocabulary=5, speech_vocabulary=40
    )
    model = SpeechLM(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
        model.backbone.norm.weight.fill_(1)
        model.speech_embedding.weight.copy_(torch.eye(64)[:43])
        model.special_embedding.weight[1, AFTER_TASK] = 1
        for before, after in following.items():
            model.head.weight[after, AFTER_TASK if before < 0 else before] = 9
    return TorchSpeechModel(model)


def say(model, ids=(1, 2), guard=PLAIN, sampling=GREEDY, seed=0):
    return generate(model, Request.of(list(ids), seed=seed), sampling, guard)


@pytest.mark.parametrize("way", ["zero_shot", "cross_lingual"])
@pytest.mark.parametrize("drawn", ["greedy", "ras_seed0", "ras_seed1"])
def test_ids_equal_the_original(original, case, monkeypatch, way, drawn):
    monkeypatch.setattr(request_module, "seeded", seeded_as_the_original)
    wanted = values_of("lm_inference")[f"outputs.{way}/{drawn}"]
    prompt = (case["prompt_text"], case["prompt_speech_token"]) if way == "zero_shot" else ()
    seed = int(drawn[-1]) if drawn != "greedy" else 0
    request = Request.of(case["text"], *prompt, seed=seed)
    result = generate(original, request, GREEDY if drawn == "greedy" else RAS, PLAIN)
    assert list(result.ids) == wanted
    assert result.reason == "end"


def test_a_batch_says_what_its_rows_say_alone(hybrid):
    requests = [
        Request.of([1, 2, 3], seed=1),
        Request.of([4], [5, 6], [7, 8, 9, 10, 11], seed=2),
        Request.of([9, 9, 9, 9, 9, 9], seed=3),
        Request.of([4, 2], seed=1),
    ]
    guard = GuardConfig(min_per_text_token=1.0, max_per_text_token=9.0, attempts=2)
    together = dict(generate_batch(hybrid, requests, RAS, guard))
    assert sorted(together) == [0, 1, 2, 3]
    assert len({len(result.ids) for result in together.values()}) > 1
    for number, request in enumerate(requests):
        assert together[number] == generate(hybrid, request, RAS, guard)


def test_the_same_seed_says_the_same_and_another_does_not(hybrid):
    guard = GuardConfig(max_per_text_token=8.0, attempts=1)
    said = [say(hybrid, guard=guard, sampling=RAS, seed=seed) for seed in (5, 5, 6)]
    assert said[0] == said[1]
    assert said[0].ids != said[2].ids


def test_a_stream_yields_ids_one_by_one_and_can_be_left(hybrid):
    records = list(stream(hybrid, [Request.of([1, 2])], GREEDY, PLAIN))
    assert all(isinstance(record, Token) for record in records[:-1])
    assert isinstance(records[-1], Stopped)
    left = stream(hybrid, [Request.of([1, 2])], GREEDY, PLAIN)
    assert list(itertools.islice(left, 3)) == records[:3]
    left.close()
    assert not torch.is_inference_mode_enabled()


def test_the_end_is_forbidden_before_the_minimum():
    model = chain({-1: 40, 3: 40})
    with torch.no_grad():
        model.model.head.bias[3] = 5
    result = say(
        model, guard=GuardConfig(min_per_text_token=2.0, max_per_text_token=20.0, attempts=1)
    )
    assert result.ids == (3, 3, 3, 3)
    assert result.reason == "end"


def test_the_maximum_stops_what_never_ends():
    model = chain({-1: 0} | {index: (index + 1) % 40 for index in range(40)})
    guard = GuardConfig(max_per_text_token=10.0, spare_tokens=5, attempts=2)
    result = say(model, guard=guard)
    assert result.reason == "budget"
    assert result.ids == tuple(range(25))
    assert result.attempts == 2


@pytest.mark.parametrize("cycle", [(7,), (7, 8), (7, 8, 9, 10, 11, 12)])
def test_a_loop_is_stopped_and_cut(cycle):
    steps = [-1, 1, 2, *cycle, cycle[0]]
    model = chain(dict(itertools.pairwise(steps)))
    result = say(model, ids=[1] * 20)
    assert result.reason == "repetition"
    assert result.ids == (1, 2, *cycle)


def test_long_silence_is_stopped_and_cut():
    model = chain({-1: 1, 1: 2, 2: 7, 7: 8, 8: 7})
    guard = GuardConfig(silent_ids=(7, 8), silence_tokens=30, attempts=1)
    result = say(model, ids=[1] * 20, guard=guard)
    assert result.reason == "silence"
    assert result.ids == (1, 2)


def test_speech_that_is_silent_throughout_has_failed():
    model = chain({-1: 7, 7: 8, 8: 40})
    guard = GuardConfig(min_per_text_token=0.0, silent_ids=(7, 8), attempts=2)
    result = say(model, ids=[1] * 20, guard=guard)
    assert (result.reason, result.ids, result.attempts) == ("silence", (), 2)


def test_a_short_pause_is_neither_silence_nor_repetition():
    detector = LoopDetector(GuardConfig(silent_ids=(7,), repeat_tokens=10, silence_tokens=30))
    assert {detector.update(token) for token in [1, *[7] * 30, 2, *[7] * 30]} == {None}
    assert detector.update(7) == "silence"


def test_an_id_counts_once_towards_a_repetition():
    detector = LoopDetector(GuardConfig(repeat_tokens=6))
    assert [detector.update(5) for _ in range(7)] == [None] * 6 + ["repetition"]
    assert detector.surplus == 6


def test_of_two_failures_the_milder_and_longer_one_is_kept():
    short = Generation(ids=(1,), reason="budget", seed=0, attempts=1)
    long, silent = replace(short, ids=(1, 2)), replace(short, reason="silence", ids=(1, 2, 3))
    assert better(None, short) is short
    assert {better(short, long).ids, better(long, short).ids} == {long.ids}
    kept = {better(short, silent).reason, better(silent, short).reason}
    assert len(kept) == 1


@pytest.mark.parametrize("name", ["spare_tokens", "sounded_silence"])
def test_a_guard_counts_from_nothing(name):
    with pytest.raises(ConfigError, match=f"{name}=-1 must not be negative"):
        GuardConfig(**{name: -1})


def test_a_failed_text_is_tried_again_with_another_seed(hybrid):
    model = chain({-1: 1, 1: 7, 7: 7})
    with torch.no_grad():
        model.model.head.weight[40, 1] = 9
    guard = GuardConfig(min_per_text_token=0.0, attempts=9)
    top = SamplingConfig(method="top")
    results = [say(model, [1] * 9, guard, top, seed) for seed in range(12)]
    assert {result.reason for result in results} == {"end"}
    assert {result.ids for result in results} == {(1,)}
    assert len({result.attempts for result in results}) > 1
    tried_again = next(result for result in results if result.attempts > 1)
    assert tried_again.seed != results.index(tried_again)
    once = GuardConfig(min_per_text_token=0.0, attempts=1)
    assert say(model, [1] * 9, once, top, tried_again.seed).ids == tried_again.ids


def test_when_every_attempt_fails_the_mildest_failure_is_kept():
    model = chain({-1: 1, 1: 7, 7: 7})
    result = say(model, [1] * 9, GuardConfig(attempts=3))
    assert (result.reason, result.ids, result.attempts) == ("repetition", (1, 7), 3)


def test_a_cancelled_text_keeps_what_was_said():
    model = chain({-1: 0} | {index: (index + 1) % 40 for index in range(40)})
    answers = iter([False] * 7 + [True])
    result = generate(model, Request.of([1] * 9), GREEDY, PLAIN, lambda: next(answers))
    assert (result.reason, result.ids) == ("cancelled", tuple(range(8)))


def test_a_text_without_ids_is_refused():
    with pytest.raises(TextError, match="no text to speak"):
        Request.of([], [1, 2], [3])


def test_guard_limits_must_make_sense():
    with pytest.raises(ConfigError, match="max_per_text_token"):
        GuardConfig(min_per_text_token=5.0, max_per_text_token=4.0)
    with pytest.raises(ConfigError, match="attempts=0"):
        GuardConfig(attempts=0)
