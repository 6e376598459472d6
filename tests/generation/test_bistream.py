"""Speaking while text arrives, against the original's ids and against the training layout."""

import contextlib
import itertools

import pytest
import torch
from reference import TOY_HEAD_DIM, synthetic_weights, tensors_of, toy_lm_shapes, values_of
from torch_draws import seeded_as_the_original

from mamtra.backbone import BackboneConfig
from mamtra.errors import TextError
from mamtra.generation import bistream
from mamtra.generation.bistream import BiStream, Interleaver, stream_bistream
from mamtra.generation.guard import GuardConfig
from mamtra.generation.request import Stopped, Token
from mamtra.generation.sampling import SamplingConfig
from mamtra.interop.cosyvoice_lm import speech_lm_from_cosyvoice
from mamtra.runtime.torch.speech_model import TorchSpeechModel
from mamtra.speech_lm import (
    MixRatio,
    SpeechLM,
    SpeechLMConfig,
    SpeechVocabulary,
    bi_stream,
    pack_segments,
)
from mamtra.speech_lm.prompt import START_SEGMENT, speech_segment, text_segment

GREEDY, RAS = SamplingConfig(method="greedy"), SamplingConfig()
CASES = [
    (prompt, drawn)
    for prompt in ("prompt", "noprompt")
    for drawn in ("greedy", "ras_seed0", "ras_seed1")
]


@pytest.fixture(scope="module")
def original():
    model, _ = speech_lm_from_cosyvoice(synthetic_weights(toy_lm_shapes()), TOY_HEAD_DIM)
    return TorchSpeechModel(model)


@pytest.fixture(scope="module")
def hybrid():
    torch.manual_seed(3)
    sizes = {"dim": 32, "query_heads": 4, "kv_heads": 2, "head_dim": 8, "mlp_dim": 48}
    config = SpeechLMConfig(
        backbone=BackboneConfig(**sizes, layout="MAMA"), text_vocabulary=30, speech_vocabulary=40
    )
    return TorchSpeechModel(SpeechLM(config).eval())


def speak_reference(model, prompt, drawn, monkeypatch):
    monkeypatch.setattr(bistream, "seeded", seeded_as_the_original)
    case = {name: tensor.flatten().tolist() for name, tensor in tensors_of("lm_bistream").items()}
    voice = (case["prompt_text"], case["prompt_speech_token"]) if prompt == "prompt" else ((), ())
    seed = int(drawn[-1]) if drawn != "greedy" else 0
    sampling = GREEDY if drawn == "greedy" else RAS
    arriving = ([token] for token in case["longtext"])
    return list(stream_bistream(model, arriving, *voice, seed=seed, sampling=sampling))


@contextlib.contextmanager
def without(model, token):
    """Make one id impossible for a while."""
    bias = model.model.head.bias
    before = bias.detach().clone()
    with torch.no_grad():
        bias[token] = -1000.0
        try:
            yield
        finally:
            bias.copy_(before)


def ids_of(records):
    return [record.id for record in records if isinstance(record, Token)]


@pytest.mark.parametrize(("prompt", "drawn"), CASES)
def test_ids_equal_the_original_once_its_doubled_id_is_imitated(
    original, monkeypatch, prompt, drawn
):
    # the original reads the last speech id of the last block a second time before the final part
    finish = BiStream.finish

    def finish_with_doubled_id(self, *arguments):
        forced = bool(self.pending)
        last = self.history[-2]
        self.pending = [speech_segment([last, last] if forced else [last])]
        return finish(self, *arguments)

    monkeypatch.setattr(BiStream, "finish", finish_with_doubled_id)
    records = speak_reference(original, prompt, drawn, monkeypatch)
    assert ids_of(records) == values_of("lm_bistream")[f"outputs.{prompt}/{drawn}.0"]
    assert records[-1] == Stopped(0, "end")
    assert records[-1].state_bytes > 0


@pytest.mark.parametrize(("prompt", "drawn"), CASES)
def test_ids_equal_the_original_until_its_doubled_id(original, monkeypatch, prompt, drawn):
    wanted = values_of("lm_bistream")[f"outputs.{prompt}/{drawn}.0"]
    # 7 + 18 text ids are five blocks, of which the prompt fills the first and part of the second
    blocks = 7 + 3 * 15 if prompt == "prompt" else 3 * 15
    said = ids_of(speak_reference(original, prompt, drawn, monkeypatch))
    assert said[:blocks] == wanted[:blocks]


@pytest.mark.parametrize("text_tokens", [5, 9, 10, 14])
def test_the_blocks_are_those_of_training(text_tokens):
    text, speech = list(range(text_tokens)), list(range(100, 100 + 4 * text_tokens))
    layout = Interleaver(MixRatio(), list(text), list(speech))
    segments = []
    while (block := layout.block()) is not None:
        segments += block[0]
    segments += layout.tail()
    trained = bi_stream(text, speech, SpeechVocabulary(200)).segments[1:]
    assert segments == list(trained)


@pytest.mark.parametrize("piece", [1, 3, 5, 100])
def test_the_cut_of_the_text_changes_nothing(hybrid, piece):
    text = [index % 30 for index in range(23)]
    cut = [text[start : start + piece] for start in range(0, len(text), piece)]
    guard = GuardConfig(repeat_tokens=1000)
    wanted = list(stream_bistream(hybrid, [text], [1, 2], [3, 4, 5], 1, RAS, guard))
    assert list(stream_bistream(hybrid, cut, [1, 2], [3, 4, 5], 1, RAS, guard)) == wanted
    assert ids_of(wanted)


def test_speech_comes_before_the_text_is_complete(hybrid):
    taken = []

    def arriving():
        for token in range(20):
            taken.append(token)
            yield [token]

    first = next(stream_bistream(hybrid, arriving(), sampling=RAS))
    assert isinstance(first, Token)
    assert len(taken) == 5


def test_one_pass_over_the_whole_gives_the_same_logits(hybrid):
    # greedy ids drawn through many continuations are the best of one whole pass as well
    text = list(range(10))
    with without(hybrid, hybrid.vocabulary.fill):
        said = ids_of(itertools.islice(stream_bistream(hybrid, [text], sampling=GREEDY), 30))
    module = hybrid.model
    whole = [
        START_SEGMENT,
        text_segment(text[:5]),
        speech_segment(said[:15]),
        text_segment(text[5:]),
        speech_segment(said[15:]),
    ]
    with torch.no_grad():
        logits = module.head(module.backbone(module.embed(pack_segments([whole]))))[0]
    best = logits[:, :40].argmax(-1).tolist()
    assert best[5:20] + best[25:40] == said


def test_the_length_is_bounded(hybrid):
    guard = GuardConfig(max_per_text_token=6.0, repeat_tokens=1000)
    with without(hybrid, hybrid.vocabulary.end):
        records = list(stream_bistream(hybrid, [[1, 2, 3], [4, 5, 6, 7]], guard=guard))
    assert records[-1].reason == "budget"
    assert len(ids_of(records)) == 42


def test_prompt_speech_that_the_text_is_too_short_for_is_kept():
    layout = Interleaver(MixRatio(), [1, 2, 3], [7, 8, 9])
    assert layout.block() is None
    assert [segment.ids for segment in layout.tail()] == [(1, 2, 3), (1,), (7, 8, 9)]


def test_a_text_that_never_comes_is_refused(hybrid):
    with pytest.raises(TextError, match="before its first id"):
        list(stream_bistream(hybrid, [], [1, 2, 3, 4, 5, 6], [1, 2]))


def test_text_is_no_longer_asked_for_once_the_speech_has_stopped(hybrid):
    asked = []

    def arriving():
        for token in range(200):
            asked.append(token)
            yield [token % 30]

    guard = GuardConfig(repeat_tokens=3, longest_cycle=3)
    with without(hybrid, hybrid.vocabulary.fill):
        records = list(stream_bistream(hybrid, arriving(), sampling=GREEDY, guard=guard))
    assert records[-1].reason == "repetition"
    assert len(asked) < 200
