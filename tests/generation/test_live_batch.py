"""A batch that texts join and leave at any step: each says what it says alone."""

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")
from onnx_toys import open_speech_lm, toy_speech_lm

from mamtra.generation.generate import generate
from mamtra.generation.guard import GuardConfig
from mamtra.generation.live_batch import LiveBatch
from mamtra.generation.request import Failed, Request, Stopped
from mamtra.generation.sampling import SamplingConfig
from mamtra.runtime.protocols import SpeechModel
from mamtra.runtime.torch.speech_model import TorchSpeechModel
from mamtra.speech_lm.reading import ReadingConfig

RAS = SamplingConfig()
GUARD = GuardConfig(min_per_text_token=1.0, max_per_text_token=6.0, repeat_tokens=9, attempts=1)


@pytest.fixture(params=["torch", "onnx"])
def model(request: pytest.FixtureRequest, tmp_path: Path) -> SpeechModel:
    module = toy_speech_lm("MA-rotary")
    return (
        TorchSpeechModel(module) if request.param == "torch" else open_speech_lm(module, tmp_path)
    )


def texts(count: int) -> list[Request]:
    draw = random.Random(4)
    return [
        Request.of([draw.randrange(20) for _ in range(draw.randint(1, 9))], seed=draw.randrange(99))
        for _ in range(count)
    ]


def test_texts_that_join_and_leave_say_what_they_say_alone(model: SpeechModel) -> None:
    requests, batch = texts(12), LiveBatch(model, 4, RAS, GUARD)
    said: dict[int, list[int]] = {}
    ended: dict[int, Stopped] = {}
    waiting = list(enumerate(requests))
    while waiting or batch.busy:
        while waiting and batch.free:
            number, request = waiting.pop(0)
            batch.add(number, request)
            said[number] = []
        if len(said[max(said)]) == 2 and max(said) % 5 == 1:
            batch.remove(max(said))  # nobody listens any more
        for record in batch.step():
            if isinstance(record, Stopped):
                ended[record.row] = record
            else:
                said[record.row].append(record.id)
    assert len(ended) < len(requests)
    for number, ids in said.items():
        alone = generate(model, requests[number], RAS, GUARD).ids
        if number in ended:
            assert tuple(ids[: len(ids) - ended[number].surplus]) == alone
        else:
            assert tuple(ids) == alone[: len(ids)]


def test_an_engine_that_can_leaves_free_rows_out_of_its_steps(tmp_path: Path) -> None:
    model = open_speech_lm(toy_speech_lm("MA-rotary"), tmp_path)
    whole, part = model.new_state(3), model.new_state(3)
    for state in (whole, part):
        model.read([request.segments for request in texts(3)], state)
    np.testing.assert_array_equal(model.step([1, 2, 3], whole)[:2], model.step([1, 2], part))
    assert part.positions[:2] == whole.positions[:2]
    assert part.positions[2] == whole.positions[2] - 1
    np.testing.assert_allclose(
        model.step([3, 4, 5], part)[:2], model.step([3, 4, 5], whole)[:2], atol=1e-6
    )


def test_rows_are_given_up_once_half_of_them_are_free(model: SpeechModel) -> None:
    batch = LiveBatch(model, 4, RAS, GUARD)
    for number, request in enumerate(texts(4)):
        batch.add(number, request)
    batch.step()
    batch.remove(3)
    batch.narrow()
    assert len(batch.rows) == 4
    batch.remove(2)
    batch.narrow()
    assert len(batch.rows) == (4 if model.fixed_width else 2)


def test_who_leaves_is_the_one_that_was_named(model: SpeechModel) -> None:
    batch = LiveBatch(model, 4, RAS, GUARD)
    for number, request in enumerate(texts(2)):
        batch.add(number, request)
    batch.remove(7)
    batch.remove(1)
    assert {record.row for record in batch.step()} == {0}


class Blind(TorchSpeechModel):
    """A model that cannot tell what it looked at, as where memory is full."""

    def looked(self, segments: object, speech: object, state: object, row: int) -> np.ndarray:
        raise MemoryError("full")


def test_a_text_whose_words_cannot_be_looked_up_ends_alone() -> None:
    module = toy_speech_lm("MA-rotary")
    blind = Blind(module, reading=ReadingConfig(layer=1, head=0, least=0.1, shortest=1))
    first, second = (replace(request, words=((0, 1),)) for request in texts(2))
    batch = LiveBatch(blind, 4, RAS, GUARD)
    batch.add(0, first)
    batch.add(1, replace(second, words=()))
    records = []
    while batch.busy:
        records += batch.step()
    assert [record.row for record in records if isinstance(record, Failed)] == [0]
    assert [record.row for record in records if isinstance(record, Stopped)] == [1]


def test_a_text_ends_with_its_share_of_the_memory(model: SpeechModel) -> None:
    batch = LiveBatch(model, 4, RAS, GUARD)
    for number, request in enumerate(texts(2)):
        batch.add(number, request)
    ended: list[Stopped] = []
    while not ended:
        held = batch.nbytes // len(batch.rows) if batch.rows else 0
        ended = [record for record in batch.step() if isinstance(record, Stopped)]
    assert ended[0].state_bytes >= held
    assert ended[0].state_bytes < 4 * max(held, 1)
