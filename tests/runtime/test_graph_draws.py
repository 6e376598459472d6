"""Ids that are drawn where their logits are: by Triton's interpreter, on a GPU in graphs."""

import copy
import math
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from drawing_toys import GUARD, OFTEN, ONCE, check_joining_and_leaving, small_model, texts

from mamtra.errors import GenerationError
from mamtra.generation.draws import EngineDraws, LogitDraws, draws_for, rule_of
from mamtra.generation.generate import generate_batch
from mamtra.generation.guard import GuardConfig
from mamtra.generation.live_batch import LiveBatch
from mamtra.generation.randomness import SeededSource
from mamtra.generation.request import Request, Row
from mamtra.generation.sampling import SamplingConfig, choose
from mamtra.runtime.exclusive import ExclusiveSpeechModel
from mamtra.runtime.torch.cuda_graph import GraphStepper
from mamtra.runtime.torch.draw_kernel import MOST_KEPT, DrawKernel
from mamtra.runtime.torch.engine import EngineConfig, prepare
from mamtra.runtime.torch.fused.support import triton_missing
from mamtra.runtime.torch.graph_draws import GraphDraws
from mamtra.runtime.torch.speech_model import TorchSpeechModel
from mamtra.speech_lm import SpeechLM
from mamtra.speech_lm.vocabulary import SpeechVocabulary

GPU = torch.cuda.is_available()
pytestmark = [
    pytest.mark.skipif(triton_missing() is not None, reason=str(triton_missing())),
    pytest.mark.filterwarnings("ignore"),  # the interpreter computes where a mask hides the result
]
INTERPRETED = pytest.mark.skipif(GPU, reason="a GPU runs the kernels themselves")
ENDLESS = GuardConfig(min_per_text_token=1e9, max_per_text_token=1e9)


class OneRow:
    """Draws for one row, and notes the random numbers that were used."""

    def __init__(self, kernel: DrawKernel, seed: int, least: int) -> None:
        self.draws = GraphDraws(recorded(small_model()).model.stepper, kernel, 1)
        self.kernel, self.source, self.least = kernel, SeededSource(seed), least

    def next(self, logits: np.ndarray) -> int:
        if self.draws.feeds[0] is None:
            return self.draws.begin(0, logits, self.least, self.source.uniforms).read()[0]
        self.kernel(torch.from_numpy(logits[None]).to(self.draws.device), self.draws.tensors)
        return int(self.draws.tensors.drawn[0, 0])


@pytest.mark.parametrize("codes", [9, 61])
@pytest.mark.parametrize("method", ["repetition-aware", "top", "greedy"])
@pytest.mark.parametrize(("top_k", "top_p"), [(25, 0.8), (3, 1.0), (1, 0.5), (MOST_KEPT, 0.99)])
def test_what_is_drawn_is_what_would_be_drawn_of_the_same_logits(codes, method, top_k, top_p):
    vocabulary, random = SpeechVocabulary(codes), np.random.default_rng(1)
    sampling = SamplingConfig(
        method=method, top_k=top_k, top_p=top_p, temperature=0.7, window=5, repetition_share=0.3
    )
    rule = rule_of(sampling)
    assert rule is not None
    device = torch.device("cuda" if GPU else "cpu")
    row = OneRow(DrawKernel(rule, vocabulary, device, early=False), seed=3, least=7)
    source, history = SeededSource(3), list[int]()
    for _ in range(50):
        logits = (2 * random.standard_normal(vocabulary.size)).astype(np.float32)
        forbidden = vocabulary.forbidden(may_end=len(history) >= 7)
        history.append(choose(logits, forbidden, history, source, sampling))
        assert row.next(logits) == history[-1]
    assert codes > 9 or vocabulary.end in history


@pytest.mark.parametrize("temperature", [0.01, 1.0, 50.0])
def test_an_id_that_is_drawn_again_is_drawn_alike_at_any_temperature(temperature):
    sampling = SamplingConfig(temperature=temperature, window=3)
    rule = rule_of(sampling)
    assert rule is not None
    device = torch.device("cuda" if GPU else "cpu")
    row = OneRow(DrawKernel(rule, SpeechVocabulary(9), device, early=False), seed=1, least=0)
    source, history = SeededSource(1), list[int]()
    logits = np.array([9, 0, -3, 5, -9, 2, 1, -1, 0, -40, 0, 0], np.float32)
    never = SpeechVocabulary(9).forbidden(may_end=True)
    for _ in range(20):
        history.append(choose(logits, never, history, source, sampling))
        assert row.next(logits) == history[-1]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_logits_that_are_no_numbers_are_told(bad):
    rule = rule_of(SamplingConfig())
    assert rule is not None
    device = torch.device("cuda" if GPU else "cpu")
    row = OneRow(DrawKernel(rule, SpeechVocabulary(9), device, early=False), 0, 0)
    logits = np.zeros(12, np.float32)
    logits[4] = bad
    assert row.next(logits) == -1


COMPILED = """
from triton import compile
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from mamtra.runtime.torch.fused.draw import draw

sizes = dict(OUTS=6564, BLOCK=8192, TOP_K=25, KEPT=32, WINDOW=10, WINDOW_BLOCK=64)
given = sizes | dict(NEEDED=1, RING=256, EARLY=True)
types = dict(logits="*fp32", never="*i8", limits="*fp64", uniforms="*fp64", first="i32")
types |= dict.fromkeys(("ids", "drawn"), "*i64")
types |= dict.fromkeys(("least", "recent", "spoken", "used"), "*i32")
signature = {name: types.get(name, "constexpr") for name in draw.arg_names}
source = ASTSource(fn=draw, signature=signature, constexprs=given)
made = compile(source, target=GPUTarget("cuda", 90, 32), options=dict(launch_pdl=True))
print("griddepcontrol" in made.asm["ptx"])
"""


def test_the_kernel_compiles_for_a_gpu_that_is_not_here():
    surroundings = os.environ | {"TRITON_INTERPRET": "0"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", COMPILED],
        capture_output=True,
        text=True,
        env=surroundings,
        check=False,
    )
    assert done.stdout.strip() == "True", done.stderr


def test_rules_that_no_kernel_knows_are_left_to_the_processor():
    assert rule_of(SamplingConfig(min_p=0.1)) is None
    assert rule_of(SamplingConfig(repetition_penalty=1.1)) is None
    drawing = recorded(small_model())
    assert isinstance(draws_for(drawing, 1, SamplingConfig()), EngineDraws)
    many = SamplingConfig(top_k=MOST_KEPT + 1)
    assert isinstance(draws_for(drawing, 1, many), LogitDraws)
    assert isinstance(draws_for(drawing, 1, SamplingConfig(min_p=0.1)), LogitDraws)


def repeated(body: Callable[[], None]) -> Callable[[], None]:
    """Warm up twice, as recording does, and repeat the body when asked."""
    body()
    body()
    return body


def recorded(model: SpeechLM) -> TorchSpeechModel:
    """The model with recorded steps."""
    ready = prepare(copy.deepcopy(model), EngineConfig(threads=torch.get_num_threads()))
    ready.stepper = GraphStepper(ready, repeated)
    return TorchSpeechModel(ready, fixed_width=True)


@INTERPRETED
@pytest.mark.parametrize("rows", [1, 3, None])
def test_texts_say_what_they_say_where_the_processor_draws(rows):
    plain = small_model()
    wanted, got = (
        dict(generate_batch(model, texts(9), OFTEN, GUARD, rows=rows))
        for model in (TorchSpeechModel(plain), recorded(plain))
    )
    assert got == wanted
    assert len({len(said.ids) for said in got.values()}) > 3


@INTERPRETED
def test_texts_that_join_and_leave_a_batch_say_what_they_say_alone():
    plain = small_model()
    check_joining_and_leaving(LiveBatch(recorded(plain), 4, OFTEN, ONCE), plain, 9)


def rows_of(count: int) -> list[Row]:
    """Rows that may never end."""
    return [Row.of(number, Request.of([1], seed=number), ENDLESS) for number in range(count)]


def endlessly(model, count: int, steps: int, turns: int = 1) -> list[list[int]]:
    """What rows say; with more turns, as many batches take turns in the same model."""
    batches = []
    for _ in range(turns):
        rows, state = rows_of(count), model.new_state(count)
        draws = draws_for(model, count, OFTEN)
        logits = model.read([row.request.segments for row in rows], state)
        for slot, row in enumerate(rows):
            draws.begin(slot, row, logits[slot])
        batches.append((rows, draws, state))
    for _ in range(steps):
        for rows, draws, state in batches:
            for _, row, token in draws.take(rows, state):
                row.history.append(token)
            draws.step(rows, state)
    return [row.history for rows, _, _ in batches for row in rows]


@INTERPRETED
def test_random_numbers_are_brought_as_they_are_used():
    plain = small_model()
    wanted = endlessly(TorchSpeechModel(plain), 2, 330)
    assert endlessly(recorded(plain), 2, 330) == wanted


def test_graphs_keep_what_they_read():
    rule = rule_of(OFTEN)
    assert rule is not None
    model = recorded(small_model()).model
    first, second = (TorchSpeechModel(model).draws(1, rule) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.kernel is second.kernel is model.stepper.kernels[rule]


@INTERPRETED
def test_two_batches_take_turns():
    plain = small_model()
    assert endlessly(recorded(plain), 2, 12, turns=2) == 2 * endlessly(recorded(plain), 2, 12)


@INTERPRETED
def test_a_batch_whose_logits_are_no_numbers_fails():
    model = small_model()
    with torch.no_grad():
        model.head.weight.fill_(math.nan)
    with pytest.raises(GenerationError, match="not numbers"):
        endlessly(recorded(model), 1, 2)


@INTERPRETED
def test_a_model_behind_a_lock_draws_alike():
    plain = small_model()
    locked = ExclusiveSpeechModel(recorded(plain), threading.Lock())
    assert endlessly(locked, 2, 10) == endlessly(recorded(plain), 2, 10)
    undrawn = ExclusiveSpeechModel(TorchSpeechModel(plain), threading.Lock())
    assert isinstance(draws_for(undrawn, 1, OFTEN), LogitDraws)


@INTERPRETED
def test_threads_that_ask_at_once_share_a_kernel():
    rule = rule_of(OFTEN)
    assert rule is not None
    locked = ExclusiveSpeechModel(recorded(small_model()), threading.Lock())
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: locked.draws(1, rule), range(32)))
    assert len({id(draws.wrapped.kernel) for draws in found if draws is not None}) == 1


@INTERPRETED
def test_a_row_that_cannot_begin_is_no_row(monkeypatch):
    model = recorded(small_model())
    batch = LiveBatch(model, 2, OFTEN, GUARD)
    batch.add(0, texts(1)[0])

    def failing(*given):
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patched:
        patched.setattr(GraphDraws, "begin", failing)
        with pytest.raises(RuntimeError, match="out of memory"):
            batch.add(1, texts(1)[0])
    assert {record.row for _ in range(20) for record in batch.step()} == {0}


@pytest.mark.gpu
@pytest.mark.skipif(not GPU, reason="needs a CUDA GPU")
@pytest.mark.parametrize("rows", [1, 3])
def test_texts_of_a_real_batch_say_what_the_processor_would_draw(rows):
    model = TorchSpeechModel(prepare(small_model(), EngineConfig(device="cuda", dtype="float32")))
    got = dict(generate_batch(model, texts(9), OFTEN, GUARD, rows=rows))
    model.draws = lambda rows, rule: None
    assert got == dict(generate_batch(model, texts(9), OFTEN, GUARD, rows=rows))


@pytest.mark.gpu
@pytest.mark.skipif(not GPU, reason="needs a CUDA GPU")
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("count", [1, 3, 12])
def test_real_graphs_draw_what_the_processor_draws_of_their_logits(count, dtype):
    ours = prepare(small_model(), EngineConfig(device="cuda", dtype=dtype))
    model = TorchSpeechModel(ours)
    assert isinstance(draws_for(model, count, OFTEN), EngineDraws)
    got = endlessly(model, count, 300)
    model.draws = lambda rows, rule: None
    assert got == endlessly(model, count, 300)
