"""Continuous batches: every text says what it says alone, in bounded memory, however it ends."""

import random
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from mamtra.backbone import BackboneConfig
from mamtra.generation.continuous_batching import Slots, speak
from mamtra.generation.generate import generate, generate_batch
from mamtra.generation.guard import GuardConfig
from mamtra.generation.request import Request, Stopped
from mamtra.generation.sampling import SamplingConfig
from mamtra.runtime.protocols import SpeechModel
from mamtra.runtime.torch.cuda_graph import GraphStepper
from mamtra.runtime.torch.engine import EngineConfig, prepare
from mamtra.runtime.torch.speech_model import TorchSpeechModel
from mamtra.speech_lm import SpeechLM, SpeechLMConfig
from mamtra.speech_lm.prompt import speech_segment

RAS = SamplingConfig()
GUARD = GuardConfig(
    min_per_text_token=1.0, max_per_text_token=6.0, repeat_tokens=2, longest_cycle=2, attempts=3
)


def small_module(layout: str) -> SpeechLM:
    torch.manual_seed(3)
    sizes = {"dim": 32, "query_heads": 4, "kv_heads": 2, "head_dim": 8, "mlp_dim": 48}
    config = SpeechLMConfig(
        backbone=BackboneConfig(**sizes, layout=layout), text_vocabulary=30, speech_vocabulary=40
    )
    model = SpeechLM(config).eval()
    with torch.no_grad():
        model.head.weight.mul_(3)
        model.head.bias[40] += 1.5  # ends come often and at any time
    return model


@pytest.fixture(scope="module", params=["AM", "A", "M"])
def model(request: pytest.FixtureRequest) -> SpeechModel:
    return small(request.param)


def small(layout: str) -> TorchSpeechModel:
    return TorchSpeechModel(small_module(layout))


def texts(count: int, seed: int = 1) -> list[Request]:
    """Texts of awkward lengths, some with a prompt."""
    draw = random.Random(seed)

    def ids(most: int, least: int = 0) -> list[int]:
        return [draw.randrange(30) for _ in range(draw.randint(least, most))]

    return [Request.of(ids(9, 1), ids(5), ids(20), seed=draw.randrange(1000)) for _ in range(count)]


class Watched:
    """A model that notes how wide and how large the states of its steps were."""

    def __init__(self, model: SpeechModel, fixed_width: bool = False) -> None:
        self.model, self.vocabulary, self.fixed_width = model, model.vocabulary, fixed_width
        self.text_vocabulary = model.text_vocabulary
        self.new_state, self.read = model.new_state, model.read
        self.reading, self.looked = model.reading, model.looked
        self.steps_first_rows = model.steps_first_rows
        self.widths: list[int] = []
        self.bytes: list[int] = []

    def step(self, ids: Sequence[int], state: Any) -> np.ndarray:
        self.widths.append(len(ids))
        self.bytes.append(state.nbytes)
        return self.model.step(ids, state)


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_every_text_says_what_it_says_alone(model: SpeechModel, rows: int) -> None:
    requests = texts(9, seed=2)
    alone = [generate(model, request, RAS, GUARD) for request in requests]
    together = list(generate_batch(model, requests, RAS, GUARD, rows=rows))
    assert dict(together) == dict(enumerate(alone))
    assert len({len(result.ids) for result in alone}) > 3
    assert any(result.attempts > 1 for result in alone)
    order = [number for number, _ in together]
    assert (order == sorted(order)) == (rows == 1)


def test_logits_do_not_depend_on_neighbours(model: SpeechModel) -> None:
    jobs = list(enumerate(texts(7, seed=2)))
    waiting = iter(jobs[4:])
    slots = Slots(model, jobs[:4], RAS, GUARD)
    for turn in range(12):
        for slot, row, token in slots.take():
            request = jobs[row.index][1]
            said = [*request.segments, speech_segment(row.history)]
            logits = model.read([said], model.new_state(1))
            np.testing.assert_allclose(slots.draws.logits[slot], logits[0], rtol=1e-5, atol=1e-5)
            row.take(token if token < 40 else 0)
        leaving = turn in (3, 4, 8)
        if leaving:
            slots.rows[turn % 4] = None
        slots.narrow(leaving)
        slots.step()
        slots.fill([next(waiting)] if leaving else [])
    assert next(waiting, None) is None


def test_memory_follows_the_slots_and_not_the_texts(model: SpeechModel) -> None:
    few, many = Watched(model), Watched(model)
    for watched, count in ((few, 6), (many, 18)):
        requests = texts(6, seed=4) * (count // 6)
        assert len(list(generate_batch(watched, requests, RAS, GUARD, rows=3))) == count
    assert max(few.widths) == max(many.widths) == 3
    assert max(many.bytes) <= max(few.bytes)
    # all slots are in use until no text waits any more
    assert many.widths == sorted(many.widths, reverse=True)


def test_texts_are_taken_when_a_slot_is_free(model: SpeechModel) -> None:
    taken: list[int] = []

    def source() -> Iterator[Request]:
        for number, request in enumerate(texts(9)):
            taken.append(number)
            yield request

    results = generate_batch(model, source(), RAS, GUARD, rows=2)
    next(results)
    assert len(taken) <= 2 + 1
    assert sum(1 for _ in results) == 8
    assert taken == list(range(9))


def test_where_widths_are_expensive_they_change_rarely(model: SpeechModel) -> None:
    requests = texts(14, seed=5)
    wanted = dict(generate_batch(model, requests, RAS, GUARD, rows=8))
    watched = Watched(model, fixed_width=True)
    assert dict(generate_batch(watched, requests, RAS, GUARD, rows=8)) == wanted
    widths = sorted(set(watched.widths), reverse=True)
    assert widths[0] == 8
    assert all(2 * after <= before for before, after in pairwise(widths))


def test_a_row_reports_the_bytes_of_its_state(model: SpeechModel) -> None:
    jobs = iter(enumerate(texts(3)))
    ends = [
        record
        for record in speak(model, lambda: next(jobs, None), 1, RAS, GUARD)
        if isinstance(record, Stopped)
    ]
    lone = generate(model, texts(1)[0], RAS, GUARD)
    assert ends[0].state_bytes == lone.state_bytes > 0


def test_nothing_to_say_is_no_error(model: SpeechModel) -> None:
    assert list(generate_batch(model, [], RAS, GUARD)) == []
    assert list(generate_batch(model, iter([]), RAS, GUARD, rows=4)) == []


def test_a_cancelled_batch_hands_out_what_was_begun(model: SpeechModel) -> None:
    answers = iter([False] * 6 + [True])
    results = list(generate_batch(model, texts(9), RAS, GUARD, lambda: next(answers), rows=3))
    assert 3 <= len(results) < 9
    cancelled = [result for _, result in results if result.reason == "cancelled"]
    assert cancelled
    assert sum(len(result.ids) for _, result in results) >= 6


@pytest.mark.parametrize("layout", ["AM", "M"])
def test_a_model_made_ready_speaks_the_same_in_a_batch_stepped_or_replayed(
    layout: str,
) -> None:
    module = prepare(small_module(layout), EngineConfig(threads=torch.get_num_threads()))
    ready = TorchSpeechModel(module)
    requests = texts(9, seed=6)
    wanted = {
        number: generate(ready, request, RAS, GUARD) for number, request in enumerate(requests)
    }
    assert dict(generate_batch(ready, requests, RAS, GUARD, rows=4)) == wanted
    module.stepper = GraphStepper(module, lambda body: body)
    recorded = TorchSpeechModel(module, fixed_width=True)
    assert dict(generate_batch(recorded, requests, RAS, GUARD, rows=4)) == wanted
