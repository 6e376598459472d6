"""A text whose ids say it badly is spoken again, and the best attempt stays."""

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

pytest.importorskip("onnx")
from onnx_toys import toy_speech_lm

from mamtra.generation.generate import RETRY_STRIDE, generate, generate_batch, stream
from mamtra.generation.guard import GuardConfig
from mamtra.generation.live_batch import LiveBatch
from mamtra.generation.queue import Generation, better
from mamtra.generation.request import Request, Stopped, Token
from mamtra.generation.sampling import SamplingConfig
from mamtra.runtime.protocols import SpeechModel
from mamtra.runtime.torch.speech_model import TorchSpeechModel

RAS = SamplingConfig()
GUARD = GuardConfig(min_per_text_token=1.0, max_per_text_token=40.0, repeat_tokens=40, attempts=3)


@pytest.fixture(scope="module")
def model() -> SpeechModel:
    return TorchSpeechModel(toy_speech_lm("MA-rotary"))


def ended(model: SpeechModel, count: int) -> list[Request]:
    """Texts whose attempts all end by themselves."""
    draw, found = random.Random(4), list[Request]()
    while len(found) < count:
        text = [draw.randrange(20) for _ in range(draw.randint(1, 9))]
        request = Request.of(text, seed=draw.randrange(99))
        if all(attempt.reason == "end" for attempt in attempts_at(model, request)):
            found.append(request)
    return found


def attempts_at(model: SpeechModel, request: Request) -> list[Generation]:
    once = replace(GUARD, attempts=1)
    seeds = [request.seed + number * RETRY_STRIDE for number in range(GUARD.attempts)]
    return [generate(model, replace(request, seed=seed), RAS, once) for seed in seeds]


def with_marks(model: SpeechModel, request: Request, *marks: float) -> Request:
    """A text whose attempts are misread so badly, by number."""
    told = {said.ids: mark for said, mark in zip(attempts_at(model, request), marks, strict=True)}

    def proofread(ids: Sequence[int]) -> float:
        return told[tuple(ids)]

    return replace(request, proofread=proofread)


def test_what_is_said_well_is_kept(model: SpeechModel) -> None:
    (request,) = ended(model, 1)
    said = generate(model, with_marks(model, request, 0.0, 0.0, 0.0), RAS, GUARD)
    assert (said.attempts, said.seed, said.misread) == (1, request.seed, 0.0)


def test_another_seed_is_tried_until_one_is_said_well(model: SpeechModel) -> None:
    (request,) = ended(model, 1)
    said = generate(model, with_marks(model, request, 5.0, 0.0, 0.0), RAS, GUARD)
    assert (said.attempts, said.seed) == (2, request.seed + RETRY_STRIDE)


def test_of_attempts_that_are_all_misread_the_best_is_kept_and_is_no_failure(
    model: SpeechModel,
) -> None:
    (request,) = ended(model, 1)
    said = generate(model, with_marks(model, request, 5.0, 2.0, 7.0), RAS, GUARD)
    assert (said.attempts, said.reason, said.misread) == (3, "end", 2.0)
    assert said.seed == request.seed + RETRY_STRIDE


def test_an_attempt_that_failed_is_worse_than_one_that_was_misread() -> None:
    failed = Generation((1, 2, 3), "budget", 0, 1)
    misread = Generation((1,), "end", 1, 2, misread=50.0)
    assert better(failed, misread).reason == "end"
    assert better(misread, failed).reason == "end"


@pytest.fixture(scope="module")
def requests(model: SpeechModel) -> list[Request]:
    """Texts of which a part is proofread, with every number of attempts."""
    marks = [(0.0, 0.0, 0.0), (3.0, 0.0, 0.0), (3.0, 2.0, 4.0), (3.0, 2.0, 0.0)]
    return [
        request if not number % 3 else with_marks(model, request, *marks[number % 4])
        for number, request in enumerate(ended(model, 9))
    ]


def test_side_by_side_they_say_what_they_say_alone(
    model: SpeechModel, requests: list[Request]
) -> None:
    alone = [generate(model, request, RAS, GUARD) for request in requests]
    assert max(said.attempts for said in alone) == GUARD.attempts
    for rows in (1, 2, 5):
        together = dict(generate_batch(model, iter(requests), RAS, GUARD, rows=rows))
        assert [together[number] for number in range(len(requests))] == alone


def test_a_stream_says_what_is_said_at_once(model: SpeechModel, requests: list[Request]) -> None:
    for request in requests:
        said = generate(model, request, RAS, GUARD)
        *tokens, end = stream(model, [request], RAS, GUARD)
        assert tuple(one.id for one in tokens if isinstance(one, Token)) == said.ids
        assert isinstance(end, Stopped)
        assert end.reason == said.reason
        assert end.settled == (request.proofread is not None)


def test_a_live_batch_says_what_is_said_alone(model: SpeechModel, requests: list[Request]) -> None:
    batch = LiveBatch(model, 3, RAS, GUARD)
    said: dict[int, list[int]] = {number: [] for number in range(len(requests))}
    ends: dict[int, Stopped] = {}
    waiting = list(enumerate(requests))
    while waiting or batch.busy:
        while waiting and batch.free:
            batch.add(*waiting.pop(0))
        for record in batch.step():
            if isinstance(record, Stopped):
                ends[record.row] = record
            else:
                said[record.row].append(record.id)
    for number, request in enumerate(requests):
        alone = generate(model, request, RAS, GUARD)
        assert tuple(said[number]) == alone.ids
        assert ends[number].settled == (request.proofread is not None)
        assert ends[number].misread == alone.misread


def test_a_text_that_nobody_waits_for_leaves_a_live_batch_between_attempts(
    model: SpeechModel,
) -> None:
    (request,) = ended(model, 1)
    batch = LiveBatch(model, 2, RAS, GUARD)
    batch.add(7, with_marks(model, request, 5.0, 5.0, 5.0))
    batch.step()
    batch.remove(7)
    assert not batch.busy
    assert batch.step() == []
