"""Recorded steps: on a CPU with a recorder that only repeats, on a GPU with real graphs."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch.testing import assert_close

from mamtra.backbone import BackboneConfig
from mamtra.runtime.torch import cuda_graph as replaying
from mamtra.runtime.torch.cuda_graph import GraphStepper, length_for
from mamtra.runtime.torch.engine import EngineConfig, prepare
from mamtra.speech_lm import SpeechLM, SpeechLMConfig, zero_shot

SIZES = BackboneConfig(
    dim=32,
    layout="MAAG",
    query_heads=4,
    kv_heads=2,
    head_dim=8,
    mlp_dim=48,
    rope_theta=1e4,
)
PROMPTS = [zero_shot([1, 2, 3], [], [7] * 9), zero_shot([4], [5], []), zero_shot([6] * 5, [], [1])]


class Repeater:
    """Runs a body twice, as warming up does, and repeats it when asked."""

    def __init__(self) -> None:
        self.recorded = 0

    def __call__(self, body: Callable[[], None]) -> Callable[[], None]:
        self.recorded += 1
        body()
        body()
        return body


@pytest.fixture(scope="module")
def plain() -> SpeechLM:
    torch.manual_seed(0)
    config = SpeechLMConfig(backbone=SIZES, text_vocabulary=30, speech_vocabulary=40)
    return SpeechLM(config).eval().requires_grad_(False)


@pytest.fixture
def replayed(plain, monkeypatch) -> SpeechLM:
    monkeypatch.setattr(replaying, "LEAST_LENGTH", 4)  # so that a few tokens outgrow it
    model = prepare(copy.deepcopy(plain), EngineConfig(threads=torch.get_num_threads()))
    model.stepper = GraphStepper(model, Repeater())
    return model


def step(model: SpeechLM, state, count: int, first: int = 0) -> torch.Tensor:
    """Logits of a few ids, the same in every row but for the row's number."""
    rows = torch.arange(len(state.positions))
    return torch.stack([model.step(rows + step, state) for step in range(first, first + count)])


def test_replayed_steps_equal_the_model(plain, replayed):
    states = [model.new_state(3) for model in (plain, replayed)]
    for model, state in zip((plain, replayed), states, strict=True):
        model.read(PROMPTS, state)
    assert_close(step(replayed, states[1], 30), step(plain, states[0], 30), atol=1e-5, rtol=1e-4)
    assert states[1].positions == states[0].positions


def test_a_graph_is_recorded_once_for_each_size_of_memory(replayed):
    for _ in range(3):
        state = replayed.new_state(1, 64)
        replayed.read([PROMPTS[0]], state)
        step(replayed, state, 12)
    # 14 to 26 tokens: sixteen positions, then thirty-two
    assert replayed.stepper.record.recorded == 2


def test_two_states_of_one_width_take_turns(plain, replayed):
    alone, together = [], []
    for model, said in ((plain, alone), (replayed, together)):
        states = [model.new_state(1), model.new_state(1)]
        for prompt, state in zip(PROMPTS, states, strict=False):
            model.read([prompt], state)
        for number in range(4):
            said += [step(model, state, 2, number) for state in states]
    assert_close(torch.stack(together), torch.stack(alone), atol=1e-5, rtol=1e-4)


def test_rows_that_leave_come_and_read_on(plain, replayed):
    """What a batch does: a row is replaced, positions are set back, the batch gets narrower."""
    said: dict[int, list[torch.Tensor]] = {0: [], 1: []}
    for which, model in enumerate((plain, replayed)):
        state, lone = model.new_state(3), model.new_state(1)
        model.read(PROMPTS, state)
        said[which].append(step(model, state, 3))
        model.read([PROMPTS[0]], lone)
        state.copy_row(1, lone)
        said[which].append(step(model, state, 3))
        state.positions[2] = 0
        said[which].append(step(model, state, 2)[:, :2])
        state.keep_rows([0, 1])
        said[which].append(step(model, state, 3))
        said[which].append(model.read([PROMPTS[1]] * 2, state))
        said[which].append(step(model, state, 3))
    for got, wanted in zip(said[1], said[0], strict=True):
        assert_close(got, wanted, atol=1e-5, rtol=1e-4)


def test_a_state_that_is_no_longer_used_costs_no_copy(replayed, monkeypatch):
    state = replayed.new_state(1, 64)
    replayed.read([PROMPTS[0]], state)
    step(replayed, state, 1)
    del state
    monkeypatch.setattr(torch.Tensor, "clone", None)
    replayed.stepper.buffers[1].copy_out()


def test_cache_lengths_are_powers_of_two():
    assert [length_for(tokens) for tokens in (1, 256, 257, 4096, 4097)] == [
        256,
        256,
        512,
        4096,
        8192,
    ]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_real_graphs_equal_the_model(plain, dtype):
    ours = prepare(copy.deepcopy(plain), EngineConfig(device="cuda", dtype=dtype))
    states = [plain.new_state(3), ours.new_state(3)]
    wanted = plain.read(PROMPTS, states[0])
    tolerance = 1e-3 if dtype == "float32" else 0.05 * float(wanted.abs().max())
    assert_close(ours.read(PROMPTS, states[1]).cpu().float(), wanted, atol=tolerance, rtol=0)
    for step in range(300):  # past the first 256 positions
        ids = torch.tensor([0, 1, 2]) + step % 30
        wanted = plain.step(ids, states[0])
        got = ours.step(ids.cuda(), states[1]).cpu().float()
        assert_close(got, wanted, atol=tolerance, rtol=0)
    eager = prepare(copy.deepcopy(plain), EngineConfig(device="cuda", dtype=dtype, kind="eager"))
    state = eager.new_state(3)
    eager.read(PROMPTS, state)
    eager.step(torch.tensor([0, 1, 2]).cuda(), state)
