"""Whether every word was read: what the reading head looked at, and what follows from it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mamtra.backbone import BackboneConfig
from mamtra.errors import ConfigError
from mamtra.generation.coverage import coverage_of, looks_of_words, path_through
from mamtra.generation.generate import generate, generate_batch, stream
from mamtra.generation.guard import GuardConfig
from mamtra.generation.live_batch import LiveBatch
from mamtra.generation.queue import PART_STRIDE
from mamtra.generation.request import Request, Stopped
from mamtra.generation.sampling import SamplingConfig
from mamtra.runtime.torch.speech_model import TorchSpeechModel
from mamtra.speech_lm import SpeechLM, SpeechLMConfig
from mamtra.speech_lm.prompt import START_SEGMENT, TASK_SEGMENT, Segment
from mamtra.speech_lm.reading import ReadingConfig, looked_at

READING = ReadingConfig(layer=0, head=1, least=0.5, shortest=1)
# two words of the three text ids that are to be spoken, after two ids of a prompt
SEGMENTS = (START_SEGMENT, Segment("text", (4, 5, 1, 2, 3)), TASK_SEGMENT)
REQUEST = Request(SEGMENTS, 3, 0, ((0, 1), (1, 3)))


def small_model() -> TorchSpeechModel:
    torch.manual_seed(1)
    sizes = {"dim": 32, "query_heads": 4, "kv_heads": 2, "head_dim": 8, "mlp_dim": 48}
    config = SpeechLMConfig(
        backbone=BackboneConfig(**sizes, layout="AM"), text_vocabulary=30, speech_vocabulary=40
    )
    return TorchSpeechModel(SpeechLM(config).eval(), reading=READING)


class Scripted:
    """A model whose reading head has looked at given words, an attempt after the other."""

    def __init__(self, *attempts: tuple[float, float]) -> None:
        self.wrapped, self.attempts = small_model(), list(attempts)

    def __getattr__(self, name: str) -> object:
        return getattr(self.wrapped, name)

    def looked(self, segments, speech, state, row) -> np.ndarray:
        first, second = self.attempts.pop(0)
        looked = np.zeros((len(speech), 7), np.float32)
        looked[0, 3], looked[1:, 4:6] = first, second
        looked[:, 0] = len(speech)  # on the start, so that it counts as one that reads
        return looked


def test_a_head_looks_at_what_is_like_it_and_never_ahead() -> None:
    keys = 9 * np.eye(4, dtype=np.float32)
    looked = looked_at(keys[[1, 0]], keys)
    np.testing.assert_allclose(looked.sum(1), 1)
    assert looked[0].argmax() == 1
    assert looked[0, 3] == 0


def test_a_word_is_looked_at_so_long_for_each_of_its_ids() -> None:
    looked = np.zeros((2, 7), np.float32)
    looked[:, 3] = 0.25, 0.5
    looked[1, 4] = 1
    assert looks_of_words(looked, REQUEST) == [1, 0.5]


def test_speech_goes_through_its_text_from_left_to_right() -> None:
    said = np.full((6, 5), 0.01, np.float32)
    for step, place in enumerate((0, 1, 1, 4, 2, 4)):  # one look back, and 3 left out
        said[step, place] = 0.9
    assert path_through(said).tolist() == [0, 1, 1, 4, 4, 4]
    assert path_through(said[:, :1]).tolist() == [0] * 6


def test_the_torch_model_shows_the_attention_of_its_own_layer() -> None:
    model, speech = small_model(), [7, 8, 9]
    looked = model.looked(SEGMENTS, speech, None, 0)
    assert looked.shape == (3, 7)
    assert (looked.sum(1) <= 1 + 1e-6).all()
    longer = model.looked(SEGMENTS, [*speech, 11], None, 0)
    np.testing.assert_allclose(longer[:3], looked, atol=1e-6)


def test_a_head_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match="head 1 of layer 1, but the layout is AM"):
        TorchSpeechModel(small_model().model, reading=ReadingConfig(layer=1, head=1, least=0.1))
    with pytest.raises(ConfigError, match="must not be negative"):
        ReadingConfig(layer=-1, head=0, least=0.1)


def test_a_head_that_looks_elsewhere_tells_nothing() -> None:
    model = small_model()
    model.looked = lambda *_: np.full((3, 7), 0.05, np.float32)
    assert coverage_of(model, REQUEST, [1, 2, 3], model.new_state(1, 9), 0) is None


def test_what_an_id_looks_at_is_summed_for_each_id() -> None:
    model = small_model()  # 21 ids look at 7 positions: 0.35 of each, and 1.05 of each position
    model.looked = lambda *_: np.full((21, 7), 0.05, np.float32)
    assert coverage_of(model, REQUEST, [1] * 21, model.new_state(1, 29), 0) is None


def test_small_words_are_not_judged() -> None:
    model = Scripted((0, 1), (1, 0))
    model.wrapped.reading = ReadingConfig(layer=0, head=1, least=0.5, shortest=2)
    state = model.wrapped.new_state(1, 9)
    found = [coverage_of(model, REQUEST, [1, 2], state, 0) for _ in range(2)]
    assert found == [1.0, 0.0]


def test_without_a_head_or_words_nothing_is_claimed() -> None:
    model = small_model()
    state = model.new_state(1, 20)
    assert coverage_of(model, Request(SEGMENTS, 3), [1], state, 0) is None
    plain = TorchSpeechModel(model.model)
    assert coverage_of(plain, REQUEST, [1], state, 0) is None


def test_a_skipped_word_is_tried_again_and_the_best_attempt_is_kept() -> None:
    guard = GuardConfig(attempts=3, max_per_text_token=3.0, repeat_tokens=99, silence_tokens=99)
    greedy = SamplingConfig(method="greedy")

    def ended(*attempts: tuple[float, float]) -> tuple[str, float | None, int]:
        model = Scripted(*attempts)
        with torch.no_grad():  # the end as soon as it is allowed
            model.wrapped.model.head.bias[model.wrapped.vocabulary.end] = 99
        found = generate(model, REQUEST, greedy, guard)
        return found.reason, found.coverage, found.attempts

    assert ended((1, 0), (1, 1)) == ("end", 1.0, 2)
    assert ended((0, 0), (0, 1), (0, 0)) == ("skipped", 0.5, 3)


class Forgetful:
    """A model that reads so many text ids, and skips the last word of longer texts."""

    def __init__(self, most: int) -> None:
        self.wrapped, self.most = small_model(), most

    def __getattr__(self, name: str) -> object:
        return getattr(self.wrapped, name)

    def looked(self, segments, speech, state, row) -> np.ndarray:
        ids = len(segments[1].ids)
        read = ids if ids <= self.most else ids - 1
        said = np.zeros((len(speech), 1 + ids + 1), np.float32)
        said[np.arange(len(speech)), 1 + np.minimum(np.arange(len(speech)), read - 1)] = 1
        return said


def in_halves(text: tuple[int, ...], seed: int = 0) -> Request:
    """A request to speak ids, each of them a word, that may be cut down to two."""
    half = len(text) // 2
    return Request(
        (START_SEGMENT, Segment("text", text), TASK_SEGMENT),
        len(text),
        seed,
        tuple((n, n + 1) for n in range(len(text))),
        parts=lambda: [in_halves(text[:half]), in_halves(text[half:])] if half > 1 else [],
    )


LONG = GuardConfig(max_per_text_token=3.0, repeat_tokens=99, silence_tokens=99)


def ending_model(most: int) -> Forgetful:
    model = Forgetful(most)
    with torch.no_grad():  # the end as soon as it is allowed
        model.wrapped.model.head.bias[model.wrapped.vocabulary.end] = 99
    return model


def test_a_text_that_loses_words_twice_is_spoken_in_parts() -> None:
    model = ending_model(2)
    whole = in_halves((1, 2, 3, 4), seed=5)
    found = generate(model, whole, guard=LONG)
    parts = [
        generate(model, replace(half, seed=5 + place * PART_STRIDE), guard=LONG)
        for place, half in enumerate(whole.parts(), start=1)
    ]
    assert found.ids == parts[0].ids + parts[1].ids
    assert (found.reason, found.coverage, found.attempts) == ("end", 1, 4)
    # parts of parts, and words that are lost in any case
    longer = in_halves(tuple(range(1, 9)))
    assert generate(model, longer, guard=LONG).attempts == 2 + 2 * 2 + 4
    lost = generate(ending_model(1), whole, guard=LONG)
    assert (lost.reason, lost.coverage, lost.attempts) == ("skipped", 0.75, 2 + 2 * 3)


def test_one_attempt_is_never_spoken_in_parts() -> None:
    found = generate(ending_model(2), in_halves((1, 2, 3, 4)), guard=replace(LONG, attempts=1))
    assert (found.reason, found.attempts) == ("skipped", 1)


def test_parts_say_the_same_in_a_batch() -> None:
    model, texts = ending_model(2), [(1, 2, 3, 4, 5), (6, 7), (8, 9, 10), (11, 12, 13, 14)]
    requests = [in_halves(text, seed) for seed, text in enumerate(texts)]
    alone = [generate(model, request, guard=LONG) for request in requests]
    for rows in (1, 2, 3, None):
        batched = dict(generate_batch(model, requests, guard=LONG, rows=rows))
        assert [batched[number] for number in range(4)] == alone


def test_a_cancelled_text_in_parts_is_what_was_said_of_it_as_a_whole() -> None:
    model, left = ending_model(2), iter(range(1000))
    whole = in_halves((1, 2, 3, 4), seed=5)
    twice = generate(model, replace(whole, parts=tuple), guard=replace(LONG, attempts=2))
    stop = 2 * len(twice.ids) + 3
    found = generate(model, whole, guard=LONG, cancelled=lambda: next(left) > stop)
    assert (found.reason, found.ids) == ("cancelled", twice.ids)


def test_streams_batches_and_servers_report_it() -> None:
    guard = GuardConfig(attempts=1, max_per_text_token=2.0)
    (stopped,) = [
        one for one in stream(Scripted((1, 1)), [REQUEST], None, guard) if isinstance(one, Stopped)
    ]
    assert stopped.coverage == 1.0
    ((_, batched),) = generate_batch(Scripted((1, 0)), [REQUEST], None, guard)
    assert batched.coverage == 0.5
    live = LiveBatch(Scripted((0, 1)), 2, SamplingConfig(), guard)
    live.add(0, REQUEST)
    records = []
    while live.busy:
        records += live.step()
    assert records[-1].coverage == 0.5
