"""The graph of every layout and Mamba variant against the modules it was exported from."""

from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("onnx")
from onnx_toys import STACKS, open_speech_lm, toy_speech_lm

from mamtra.errors import ConfigError, ModelError
from mamtra.runtime.onnx import speech_model
from mamtra.runtime.onnx.speech_model import OnnxSpeechModel
from mamtra.runtime.onnx.state import OnnxState
from mamtra.runtime.protocols import SpeechModel, State
from mamtra.runtime.torch.speech_model import TorchSpeechModel
from mamtra.speech_lm import SpeechLM
from mamtra.speech_lm.prompt import Segment, cross_lingual, speech_segment
from mamtra.speech_lm.reading import ReadingConfig

TOLERANCE = 1e-5
FEW_BITS = {8: 0.03, 4: 0.3}  # of the logits' length; random weights are the hardest to round
PROMPTS = [cross_lingual([3, 1, 4, 1, 5, 9, 2, 6]), cross_lingual([5, 3])]
FOLLOWING = [[1, 7], [26, 0], [4, 4], [19, 2], [0, 11]]


@pytest.fixture(params=STACKS)
def module(request) -> SpeechLM:
    return toy_speech_lm(request.param)


def module_logits(module: SpeechLM, rows: list[list[Segment]], ids: list[list[int]]) -> np.ndarray:
    """Logits of the modules after a prompt and after each id, row by row."""
    found = []
    for row, segments in enumerate(rows):
        state = module.new_state(1)
        logits = [module.read([segments], state)]
        logits += [module.step(torch.tensor([each[row]]), state) for each in ids]
        found.append(torch.cat(logits).numpy())
    return np.stack(found, axis=1)


def graph_logits(
    model: OnnxSpeechModel, rows: list[list[Segment]], ids: list[list[int]], state: OnnxState
) -> np.ndarray:
    return np.stack([model.read(rows, state), *(model.step(each, state) for each in ids)])


def assert_near(got: np.ndarray, expected: np.ndarray, tolerance: float = TOLERANCE) -> None:
    np.testing.assert_allclose(got, expected, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("form", ["fused", "standard"])
def test_uneven_prompts_and_steps_are_those_of_the_modules(module, form, tmp_path):
    model = open_speech_lm(module, tmp_path, form)
    state = model.new_state(2)
    assert isinstance(model, SpeechModel)
    assert isinstance(state, State)
    assert_near(
        graph_logits(model, PROMPTS, FOLLOWING, state), module_logits(module, PROMPTS, FOLLOWING)
    )
    assert state.positions == [15, 9]


def test_rows_of_a_batch_are_those_of_each_alone(module, tmp_path):
    model = open_speech_lm(module, tmp_path)
    together = graph_logits(model, PROMPTS, FOLLOWING, model.new_state(2))
    for row in range(2):
        alone = [[each[row]] for each in FOLLOWING]
        assert_near(
            graph_logits(model, PROMPTS[row : row + 1], alone, model.new_state(1))[:, 0],
            together[:, row],
            1e-6,
        )


@pytest.mark.parametrize("form", ["fused", "standard"])
@pytest.mark.parametrize("name", ["A6", "A16", "AMMA", "MA-rotary", "MA-one-key"])
def test_what_the_reading_head_looked_at_is_what_the_module_says(name, form, tmp_path) -> None:
    module = toy_speech_lm(name)
    layer = module.config.backbone.layout.rindex("A")
    reading = ReadingConfig(layer=layer, head=3, least=0.1)
    model = open_speech_lm(module, tmp_path, form, reading=reading)
    other = TorchSpeechModel(module, reading=reading)
    state = model.new_state(2)
    graph_logits(model, PROMPTS, FOLLOWING, state)
    wider = model.new_state(3, 2)
    for row in range(2):
        wider.copy_row(row + 1, state, row)
    wider.keep_rows([2, 1])
    for row, prompt in enumerate(reversed(PROMPTS)):
        speech = [each[1 - row] for each in FOLLOWING]
        expected = other.looked(prompt, speech, None, 0)
        assert_near(model.looked(prompt, speech, wider, row), expected)


@pytest.mark.parametrize("cut", [1, 2, 3, 7])
def test_pieces_equal_the_whole_for_any_cut(module, tmp_path, cut):
    model = open_speech_lm(module, tmp_path)
    ids = [(3 * index) % 27 for index in range(20)]
    whole = model.read([[speech_segment(ids)]], model.new_state(1))
    state = model.new_state(1)
    for start in range(0, len(ids), cut):
        logits = model.read([[speech_segment(ids[start : start + cut])]], state)
    assert_near(logits, whole)


def test_text_after_speech_is_read_as_in_a_bi_stream(module, tmp_path):
    rows = [[*PROMPTS[0], speech_segment([4, 5]), *PROMPTS[1][1:]]]
    model = open_speech_lm(module, tmp_path)
    assert_near(model.read(rows, model.new_state(1)), module.read(rows, module.new_state(1)))


@pytest.mark.parametrize("name", ["AMMA", "MA-one-key"])
def test_a_state_grows_and_its_bytes_are_true(name, tmp_path):
    module = toy_speech_lm(name)
    model = open_speech_lm(module, tmp_path)
    state, exact = model.new_state(1), module.new_state(1)
    model.read(PROMPTS[:1], state)
    module.read(PROMPTS[:1], exact)
    before = state.nbytes
    for index in range(300):
        got = model.step([index % 27], state)
        expected = module.step(torch.tensor([index % 27]), exact)
    assert_near(got, expected.numpy())
    assert state.nbytes > before
    assert state.nbytes == sum(array.nbytes for array in state.arrays.values())


def test_a_row_is_to_the_bit_what_it_is_beside_a_longer_one(tmp_path):
    model = open_speech_lm(toy_speech_lm("A16-one-key"), tmp_path)
    long = [speech_segment([index % 27 for index in range(300)])]
    together = graph_logits(model, [PROMPTS[0], long], FOLLOWING, model.new_state(2))[:, 0]
    alone = [[each[0]] for each in FOLLOWING]
    alone = graph_logits(model, PROMPTS[:1], alone, model.new_state(1))[:, 0]
    assert np.array_equal(together, alone)


def test_a_hint_saves_growth(tmp_path):
    model = open_speech_lm(toy_speech_lm("MAM"), tmp_path)
    state = model.new_state(1, capacity_hint=20)
    before = state.nbytes
    graph_logits(model, PROMPTS[:1], [[each[0]] for each in FOLLOWING], state)
    assert state.nbytes == before


def test_rows_may_be_copied_kept_and_go_on_as_before(module, tmp_path):
    model = open_speech_lm(module, tmp_path)
    expected = graph_logits(model, PROMPTS, FOLLOWING, model.new_state(2))
    single = model.new_state(1)
    model.read(PROMPTS[1:], single)
    state = model.new_state(3)
    model.read([*PROMPTS, PROMPTS[0]], state)
    state.copy_row(2, single)
    got = [model.step([*each, each[1]], state)[2] for each in FOLLOWING[:2]]
    assert_near(np.stack(got), expected[1:3, 1], 1e-6)
    state.keep_rows([2, 0])
    got = [model.step([each[1], each[0]], state) for each in FOLLOWING[2:]]
    assert_near(np.stack(got), expected[3:, ::-1], 1e-6)


def test_an_idle_row_at_position_0_disturbs_nobody(module, tmp_path):
    model = open_speech_lm(module, tmp_path)
    expected = graph_logits(model, PROMPTS, FOLLOWING, model.new_state(2))
    state = model.new_state(2)
    model.read(PROMPTS, state)
    got = []
    for each in FOLLOWING:
        state.positions[1] = 0
        got.append(model.step([each[0], 0], state)[0])
    assert_near(np.stack(got), expected[1:, 0], 1e-6)


def test_handed_out_logits_belong_to_the_caller(tmp_path):
    model = open_speech_lm(toy_speech_lm("AMMA"), tmp_path)
    state = model.new_state(1)
    model.read(PROMPTS[:1], state)
    first = model.step([1], state)
    kept = first.copy()
    model.step([2], state)
    assert np.array_equal(first, kept)


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("name", ["AMMA", "M-rotary", "MAM"])
def test_few_bits_stay_close(name, bits, tmp_path):
    module = toy_speech_lm(name)
    model = open_speech_lm(module, tmp_path, bits=bits)
    got = graph_logits(model, PROMPTS, FOLLOWING, model.new_state(2))
    expected = module_logits(module, PROMPTS, FOLLOWING)
    assert np.linalg.norm(got - expected) < FEW_BITS[bits] * np.linalg.norm(expected)


def test_rows_that_do_not_fit_are_refused(tmp_path):
    model = open_speech_lm(toy_speech_lm("M"), tmp_path)
    with pytest.raises(ConfigError, match="2 ids do not fit a state of 1 rows"):
        model.step([1, 2], model.new_state(1))
    with pytest.raises(ConfigError, match="brings no ids"):
        model.read([[]], model.new_state(1))


def test_a_graph_of_other_weights_is_refused(tmp_path: Path):
    open_speech_lm(toy_speech_lm("M"), tmp_path)
    graph = (tmp_path / "speech_lm.onnx").read_bytes()
    open_speech_lm(toy_speech_lm("M-bare"), tmp_path)
    (tmp_path / "speech_lm.onnx").write_bytes(graph)
    with pytest.raises(ModelError, match="mamtra export"):
        OnnxSpeechModel(tmp_path / "speech_lm.onnx")


def test_a_missing_graph_says_how_to_make_it(tmp_path: Path):
    with pytest.raises(ModelError, match="make it with mamtra export"):
        OnnxSpeechModel(tmp_path / "speech_lm.onnx")


SHARED = [name for name in STACKS if name.endswith("one-key")]  # four query heads on a key


@pytest.fixture(params=SHARED)
def both_forms(request, tmp_path) -> tuple[SpeechLM, Path]:
    """A module, and its graph for any number beside that for one stream of few ids."""
    module = toy_speech_lm(request.param)
    open_speech_lm(module, tmp_path, "short")
    (tmp_path / "speech_lm.onnx").rename(tmp_path / "speech_lm.short.onnx")
    open_speech_lm(module, tmp_path)
    return module, tmp_path / "speech_lm.onnx"


def caches_of(state: OnnxState) -> set[int]:
    return set(state.cached.values())


@pytest.mark.parametrize("after", [3, 11, 12, 14])
def test_one_stream_goes_on_where_the_graph_for_few_ids_ends(both_forms, after, monkeypatch):
    module, path = both_forms
    monkeypatch.setattr(speech_model, "SHORT_TOKENS", after)
    model, ids = OnnxSpeechModel(path), [[each[0]] for each in FOLLOWING]
    state = model.new_state(1)
    assert caches_of(state) == {2}
    found = graph_logits(model, PROMPTS[:1], ids, state)
    assert_near(found, module_logits(module, PROMPTS[:1], ids))
    assert caches_of(state) == {2, 3}
    assert caches_of(model.new_state(1)) == {2, 3}


def test_one_stream_of_few_ids_keeps_its_graph(both_forms):
    module, path = both_forms
    model, ids = OnnxSpeechModel(path), [[each[0]] for each in FOLLOWING]
    state = model.new_state(1)
    assert_near(
        graph_logits(model, PROMPTS[:1], ids, state), module_logits(module, PROMPTS[:1], ids)
    )
    assert caches_of(state) == {2}


def test_a_row_that_was_read_alone_joins_a_batch(both_forms):
    module, path = both_forms
    model = OnnxSpeechModel(path)
    alone, joining = model.new_state(1), model.new_state(1)
    first = [
        model.read([row], state)[0] for row, state in zip(PROMPTS, (alone, joining), strict=True)
    ]
    batch = model.new_state(2)
    batch.copy_row(0, alone)
    batch.copy_row(1, joining)
    found = np.stack([np.stack(first), *(model.step(ids, batch) for ids in FOLLOWING)])
    assert_near(found, module_logits(module, PROMPTS, FOLLOWING))


def test_several_streams_begin_with_the_graph_for_any_number(both_forms):
    _, path = both_forms
    assert caches_of(OnnxSpeechModel(path, streams=2).new_state(1)) == {2, 3}


def test_a_stream_beside_goes_on_where_another_one_changes_the_graph(both_forms, monkeypatch):
    module, path = both_forms
    monkeypatch.setattr(speech_model, "SHORT_TOKENS", 12)
    model, ids = OnnxSpeechModel(path), [[each[0]] for each in FOLLOWING]
    beside, long = model.new_state(1), model.new_state(1)
    found = [model.read(PROMPTS[:1], beside), model.step(ids[0], beside)]
    model.read([[speech_segment(list(range(13)))]], long)  # beyond the limit
    found += [model.step(each, beside) for each in ids[1:]]
    assert_near(np.stack(found), module_logits(module, PROMPTS[:1], ids))
