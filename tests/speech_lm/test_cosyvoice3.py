"""CosyVoice 3's language model against the original: logits, training layouts, ids, silence."""

import random

import numpy as np
import pytest
import torch
from reference3 import relative, speech_lm, tensors_of, values_of
from torch_draws import seeded_as_the_original

from mamtra.config import from_dict
from mamtra.errors import ConfigError
from mamtra.generation import bistream
from mamtra.generation import request as request_module
from mamtra.generation.bistream import BiStream, stream_bistream
from mamtra.generation.generate import generate
from mamtra.generation.guard import GuardConfig, sounded
from mamtra.generation.request import Request, Stopped, Token
from mamtra.generation.sampling import SamplingConfig, choose, softmax
from mamtra.interop.cosyvoice_release import RELEASE3
from mamtra.runtime.torch.speech_model import TorchSpeechModel
from mamtra.speech_lm import SpeechVocabulary, pack, pack_segments, training_sequence
from mamtra.speech_lm.prompt import Segment, cross_lingual, speech_segment, zero_shot

GREEDY, RAS = SamplingConfig(method="greedy"), SamplingConfig()
PLAIN = GuardConfig(attempts=1, repeat_tokens=1000)
FIELDS = ("ids", "end", "min_len")
MARK = 151_646  # <|endofprompt|>
RUNS = [name.split(".")[1] for name in values_of("lm_inference") if name.endswith(".ids")]
BISTREAMS = ["prompt/ras_seed0", "prompt/ras_seed1", "noprompt/ras_seed0"]


def ids_of(case: str, name: str) -> list[int]:
    return tensors_of(case)[name].flatten().tolist()


def settings(drawn: str) -> tuple[SamplingConfig, int]:
    if drawn == "greedy":
        return GREEDY, 0
    return RAS, int(drawn.removeprefix("ras_seed"))


def test_marks_are_where_the_original_has_them():
    vocabulary = speech_lm().vocabulary
    assert (vocabulary.end, vocabulary.fill, vocabulary.size) == (201, 203, 400)
    assert list(vocabulary.stops) == list(range(200, 400))
    assert vocabulary.forbidden(may_end=True) == ()
    assert vocabulary.forbidden(may_end=False) == (201,)
    older = SpeechVocabulary(200)
    assert older.forbidden(may_end=True) == (201, 202)
    assert older.forbidden(may_end=False, may_fill=True) == (200, 201)
    with pytest.raises(ConfigError, match="two of the 3 marks"):
        SpeechVocabulary(200, end_mark=3)


def test_teacher_forced_logits_equal_the_original():
    case, model = tensors_of("lm_teacher"), speech_lm()
    speech = ids_of("lm_teacher", "prompt_speech_token") + ids_of("lm_teacher", "speech_token")
    prompt = zero_shot(ids_of("lm_teacher", "text"), ids_of("lm_teacher", "prompt_text"), speech)
    inputs = model.embed(pack_segments([prompt]))
    assert float(inputs.double().sum()) == pytest.approx(float(case["lm_input_sum"]), rel=1e-6)
    with torch.inference_mode():
        hidden = model.backbone(inputs)
        logits = model.head(hidden)
        assert relative(hidden[:, -1], case["hidden_last"]) < 1e-4
        assert relative(logits[..., ::4], case["logits_every_4th"]) < 1e-4
        assert relative(logits.logsumexp(-1), case["logsumexp"]) < 1e-4
        assert torch.equal(logits.argmax(-1), case["argmax"])
        state, half = model.new_state(1), len(speech) // 2
        read = [*prompt[:-1], speech_segment(speech[:half])]
        found = [model.read([read], state)]
        found += [model.step(torch.tensor([token]), state) for token in speech[half:]]
    assert relative(torch.stack(found, 1), logits[:, -len(found) :]) < 1e-4


@pytest.mark.parametrize("seed", range(4))
def test_training_layouts_and_losses_equal_the_original(seed):
    case, values, model = tensors_of("lm_train"), values_of("lm_train"), speech_lm()
    drawn, sequences = random.Random(seed), []
    for row in range(3):
        text, speech, lead = (
            case[f"batch.{name}_token"][row, : case[f"batch.{name}_token_len"][row]].tolist()
            for name in ("text", "speech", "instruct")
        )
        how = training_sequence(text, speech, model.vocabulary, drawn.random(), lead=lead)
        sequences.append(how)
        target = case[f"seeds.{seed}.target"][row].tolist()
        assert list(how.targets) == target[: len(how.targets)]
        assert set(target[len(how.targets) :]) <= {-1}
    batch = pack(sequences)
    assert batch.lengths.tolist() == case[f"seeds.{seed}.lm_input_len"].tolist()
    with torch.inference_mode():
        losses = model.loss(batch)
        for row, total in enumerate(case[f"seeds.{seed}.lm_input_sums"].tolist()):
            inputs = model.embed(pack_segments([sequences[row].segments]))
            assert float(inputs.double().sum()) == pytest.approx(total, rel=1e-5)
    assert float(losses.loss) == pytest.approx(values[f"seeds.{seed}.loss"], rel=1e-4)


def asked(way: str) -> tuple[list[Segment], int]:
    """What the model reads, and how many text ids count for the length."""
    text, words = ids_of("lm_inference", "text"), ids_of("lm_inference", "prompt_text")
    match way:
        case "zero_shot":
            speech = ids_of("lm_inference", "prompt_speech_token")
            return zero_shot(text, words, speech), len(text)
        case "cross_lingual":  # the text itself begins with the instruction and its mark
            led = [*words[: words.index(MARK) + 1], *text]
            return cross_lingual(led), len(led)
        case _:
            return cross_lingual([*ids_of("lm_inference", "instruct"), *text]), len(text)


@pytest.mark.parametrize("run", RUNS)
def test_ids_equal_the_original_whose_wrong_mark_is_put_right(monkeypatch, run):
    monkeypatch.setattr(request_module, "seeded", seeded_as_the_original)
    way, drawn, _ = run.split("/")
    values = {name: values_of("lm_inference")[f"outputs.{run}.{name}"] for name in FIELDS}
    segments, counted = asked(way)
    assert 2 * counted == values["min_len"]
    sampling, seed = settings(drawn)
    request = Request(tuple(segments), counted, seed)
    result = generate(TorchSpeechModel(speech_lm()), request, sampling, PLAIN)
    assert list(result.ids) == values["ids"]
    assert result.reason == ("budget" if values["end"] < 0 else "end")


@pytest.mark.parametrize("run", BISTREAMS)
def test_bistream_ids_equal_the_original_that_reads_text_first(monkeypatch, run):
    monkeypatch.setattr(bistream, "seeded", seeded_as_the_original)
    finish = BiStream.finish

    def finish_with_doubled_id(self, *arguments):  # as in version 2
        forced, last = bool(self.pending), self.history[-2]
        self.pending = [speech_segment([last, last] if forced else [last])]
        return finish(self, *arguments)

    monkeypatch.setattr(BiStream, "finish", finish_with_doubled_id)
    prompted = run.startswith("prompt")
    values = values_of("lm_bistream")
    words = ids_of("lm_bistream", "prompt_text" if prompted else "instruct")
    mark = words.index(MARK) + 1
    name = f"{run}/eos_blocked" if prompted else f"{run}/eos_blocked/text_first"
    speech = ids_of("lm_bistream", "prompt_speech_token") if prompted else []
    sampling, seed = settings(run.split("/")[1])
    records = list(
        stream_bistream(
            TorchSpeechModel(speech_lm()),
            ([token] for token in ids_of("lm_bistream", "longtext")),
            words[mark:],
            speech,
            seed,
            sampling,
            GuardConfig(repeat_tokens=1000, min_per_text_token=0.0),
            lead=words[:mark],
        )
    )
    said = [record.id for record in records if isinstance(record, Token)]
    assert said == values[f"outputs.{name}.ids"]
    assert records[-1] == Stopped(0, "end")


def test_only_five_silent_ids_in_a_row_are_sounded():
    values = values_of("silent_tokens")
    guard = from_dict(GuardConfig, RELEASE3.guard, "guard")
    assert list(guard.silent_ids) == values["silent"]
    for row in values["rows"]:
        assert sounded(row["drawn"], guard) == row["kept"]
    plain = GuardConfig(silent_ids=guard.silent_ids)
    assert sounded(values["rows"][0]["drawn"], plain) == values["rows"][0]["drawn"]


def test_draws_of_6761_ids_equal_the_original():
    values, drawn = values_of("sampling_ras"), np.random.default_rng(53)
    logits = [drawn.standard_normal(6761) * (1 + index) for index in range(8)]
    logits = [np.log(softmax(row.astype(np.float32))).astype(np.float32) for row in logits]
    for row in values["rows"]:
        found = [
            choose(logits[row["i"]], (), row["decoded"], seeded_as_the_original(seed), RAS)
            for seed in range(values["first_seed"], values["first_seed"] + values["seeds"])
        ]
        assert found == row["ids"]
