"""What every mixer and every layout must keep, in float32 and in bfloat16.

Pieces equal the whole for any cut; the past ignores the future; rows of a batch are independent,
also where their lengths differ; a memory says truly how many bytes it holds.
"""

import copy

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from mamtra.backbone import (
    BackboneConfig,
    GatedDeltaNetConfig,
    KeyValueState,
    MambaConfig,
    ScanState,
    Stack,
    StackState,
)
from mamtra.errors import ConfigError
from mamtra.runtime.torch.compiled_step import CompiledStep
from mamtra.runtime.torch.cpu_features import missing_for_compiled
from mamtra.runtime.torch.fuse import WeightType, activation_type, ready_block
from mamtra.runtime.torch.step import StackStep

DIM, TIME = 24, 70


def ready(stack: Stack, dtype: WeightType) -> None:
    for block in stack.blocks:
        ready_block(block, dtype)
    stack.norm.to(activation_type(dtype)).requires_grad_(False)


VARIANTS = {
    "parity": {},
    "grouped": {"mamba": MambaConfig(decay="group", decay_start="long", gate="open")},
    "rotary": {
        "mamba": MambaConfig(
            rotary=True, input_bias=True, conv_start="identity", activation="none"
        ),
        "deltanet": GatedDeltaNetConfig(rotary=True, input_bias=True, gate="open"),
    },
    "bare": {
        "mamba": MambaConfig(conv_width=0, gate="none", norm=False, activation="none"),
        "deltanet": GatedDeltaNetConfig(conv_width=0, gate="none", activation="none"),
    },
    "unshared": {
        "mamba": MambaConfig(kv_heads=4, state_dim=8, conv_width=1),
        "deltanet": GatedDeltaNetConfig(kv_heads=4, state_dim=8, conv_width=1, beta_start=0.9),
    },
}
STACKS = {
    "A": ("A", "parity"),
    "M": ("M", "parity"),
    "M-grouped": ("M", "grouped"),
    "M-rotary": ("M", "rotary"),
    "M-bare": ("M", "bare"),
    "M-unshared": ("M", "unshared"),
    "G": ("G", "parity"),
    "G-rotary": ("G", "rotary"),
    "G-bare": ("G", "bare"),
    "G-unshared": ("G", "unshared"),
    "AMMA": ("AMMA", "parity"),
    "MAM": ("MAM", "grouped"),
    "AGMG": ("AGMG", "rotary"),
}
# bfloat16 keeps 8 bits; orders of summation differ between pieces and whole
TOLERANCE = {torch.float32: 2e-5, torch.bfloat16: 6e-2}
EIGHT_BITS = 0.04  # of a vector's length, through four layers
NEEDS_COMPILER = pytest.mark.skipif(bool(missing_for_compiled()), reason="nothing compiles here")


@pytest.fixture(params=[torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
def dtype(request) -> torch.dtype:
    return request.param


@pytest.fixture(params=STACKS)
def stack(request, dtype) -> Stack:
    layout, variant = STACKS[request.param]
    torch.manual_seed(0)
    config = BackboneConfig(
        dim=DIM,
        layout=layout,
        query_heads=4,
        kv_heads=2,
        head_dim=6,
        mlp_dim=32,
        rope_theta=1e4,
        **VARIANTS[variant],
    )
    return Stack(config).to(dtype).requires_grad_(False)


@pytest.fixture
def hidden(dtype) -> Tensor:
    return torch.randn(2, TIME, DIM, generator=torch.Generator().manual_seed(1)).to(dtype)


def in_pieces(stack: Stack, hidden: Tensor, cuts: int | list[int]) -> tuple[Tensor, StackState]:
    state = stack.new_state(len(hidden))
    pieces = [stack(piece, state) for piece in hidden.split(cuts, dim=1)]
    return torch.cat(pieces, dim=1), state


def assert_alike(got: Tensor, wanted: Tensor) -> None:
    assert got.dtype == wanted.dtype
    tolerance = TOLERANCE[wanted.dtype]
    assert_close(got, wanted, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 64, 65])
def test_pieces_equal_the_whole(stack, hidden, cut):
    hidden = hidden[:, : 10 if cut < 4 else TIME]
    pieces, state = in_pieces(stack, hidden, cut)
    assert_alike(pieces, stack(hidden))
    assert state.positions == [hidden.shape[1]] * 2


def single_steps(stack: Stack, hidden: Tensor, state: StackState, form: str) -> Tensor:
    """The tokens one by one: through the modules, a quick step, or what a CUDA graph records."""
    if form == "modules":
        return torch.cat([stack(token, state) for token in hidden.split(1, dim=1)], dim=1)
    plan, outputs = (CompiledStep if form == "compiled" else StackStep)(stack, len(hidden)), []
    for token in hidden.unbind(1):
        plan.hidden.copy_(token)
        if form in ("quick", "compiled"):
            outputs.append(plan.run(state).clone())
            continue
        if not outputs:
            plan.step_positions.positions.copy_(torch.tensor(state.positions))
            for layer in state.layers:
                if isinstance(layer, KeyValueState):
                    layer.reserve(TIME)
        outputs.append(plan.replay_form(state, TIME).clone())
        state.positions = plan.step_positions.positions.add_(1).tolist()
    return torch.stack(outputs, dim=1)


def rows_beside_whole_passes(
    stack: Stack, weights: str, hidden: Tensor, lengths: list[int], form: str
) -> list[tuple[Tensor, Tensor]]:
    """Outputs of nine single steps after a prompt, and the same from one pass, row by row."""
    spoken = copy.deepcopy(stack)
    ready(spoken, weights)
    state = spoken.new_state(2)
    spoken(hidden[:, :31], state, torch.tensor(lengths))
    following = hidden[:, 31:40]
    with torch.inference_mode():
        got = single_steps(spoken, following, state, form)
    assert state.positions == [length + 9 for length in lengths]
    pairs = []
    for row, length in enumerate(lengths):
        whole = torch.cat([hidden[row : row + 1, :length], following[row : row + 1]], dim=1)
        pairs.append((got[row], stack(whole)[0, length:]))
    return pairs


@pytest.mark.parametrize("lengths", [[31, 31], [31, 7]], ids=["level", "uneven"])
@pytest.mark.parametrize("form", ["modules", "quick", "recorded"])
def test_single_steps_equal_one_pass_in_every_form(stack, hidden, dtype, form, lengths):
    weights = str(dtype).removeprefix("torch.")
    for got, wanted in rows_beside_whole_passes(stack, weights, hidden, lengths, form):
        assert_alike(got, wanted)


@pytest.mark.parametrize("dtype", [torch.float32], ids=["float32"])
@pytest.mark.parametrize("form", ["modules", "quick", "compiled"])
@NEEDS_COMPILER
def test_8_bit_weights_stay_close(stack, hidden, form):
    for got, wanted in rows_beside_whole_passes(stack, "int8", hidden, [31, 7], form):
        assert (got - wanted).norm() < EIGHT_BITS * wanted.norm()


@NEEDS_COMPILER
@pytest.mark.parametrize("dtype", [torch.float32], ids=["float32"])
def test_in_8_bit_a_row_steps_beside_others_as_alone(stack, hidden):
    ready(stack, "int8")
    lengths, prompt, following = [31, 7], hidden[:, :31], hidden[:, 31:40]
    state = stack.new_state(2)
    stack(prompt, state, torch.tensor(lengths))
    with torch.inference_mode():
        together = single_steps(stack, following, copy.deepcopy(state), "compiled")
        for row in range(2):
            alone = copy.deepcopy(state)
            alone.keep_rows([row])
            got = single_steps(stack, following[row : row + 1], alone, "compiled")
            assert torch.equal(got[0], together[row])


@pytest.mark.parametrize("dtype", [torch.float32], ids=["float32"])
@NEEDS_COMPILER
def test_in_8_bit_a_memory_may_lie_in_any_order_and_grow(stack, hidden):
    ready(stack, "int8")
    state = stack.new_state(2)
    stack(hidden[:, :20], state)
    turned = copy.deepcopy(state)
    for layer in turned.layers:
        if isinstance(layer, ScanState):
            layer.scan = layer.scan.transpose(2, 3).contiguous().transpose(2, 3)
            layer.window = layer.window.transpose(1, 2).contiguous().transpose(1, 2)
    following = hidden[:, 20:].repeat(1, 6, 1)  # 300 tokens: the memory grows once
    with torch.inference_mode():
        wanted = single_steps(stack, following, state, "compiled")
        assert_alike(single_steps(stack, following, turned, "compiled"), wanted)
    assert state.positions == [320, 320]


@pytest.mark.parametrize(("heads", "start"), [(18, 40), (4, 1020), (4, 2044)])
@NEEDS_COMPILER
def test_8_bit_steps_with_many_queries_and_far_on(heads, start):
    torch.manual_seed(0)
    sizes = {"dim": DIM, "query_heads": heads, "kv_heads": 2, "head_dim": 6, "mlp_dim": 32}
    spoken = Stack(BackboneConfig(layout="AM", rope_theta=1e4, **sizes)).requires_grad_(False)
    ready(spoken, "int8")
    hidden, state = torch.randn(1, start + 9, DIM), spoken.new_state(1)
    with torch.inference_mode():
        whole = spoken(hidden, spoken.new_state(1))
        spoken(hidden[:, :start], state)
        got = single_steps(spoken, hidden[:, start:], state, "compiled")
    assert (got - whole[:, start:]).norm() < EIGHT_BITS / 2 * whole[:, start:].norm()


@pytest.mark.parametrize("dtype", [torch.float32], ids=["float32"])
@pytest.mark.parametrize(
    ("weights", "step"),
    [("float32", StackStep), pytest.param("int8", CompiledStep, marks=NEEDS_COMPILER)],
)
def test_tokens_that_do_not_fit_the_memory_are_refused(stack, weights, step):
    ready(stack, weights)
    with pytest.raises(ConfigError, match="2 tokens do not fit a memory of 1 rows"):
        step(stack, 2).run(stack.new_state(1))


def test_prefill_then_steps_equals_one_pass(stack, hidden):
    pieces, _ = in_pieces(stack, hidden[:, :46], [40, 1, 1, 1, 1, 1, 1])
    assert_alike(pieces, stack(hidden[:, :46]))


def test_the_past_ignores_the_future(stack, hidden):
    changed = hidden.clone()
    changed[:, 40:] = 7.0
    assert torch.equal(stack(changed)[:, :40], stack(hidden)[:, :40])


def test_rows_are_independent_with_different_lengths(stack, hidden):
    """Two rows of 50 and 13 tokens, then 9 and 4 more, then single steps, against each alone."""
    lengths = [torch.tensor([50, 13]), torch.tensor([9, 4]), None, None]
    counts = [(50, 13), (9, 4), (1, 1), (1, 1)]
    state, done, outputs = stack.new_state(2), [0, 0], ([], [])
    for length, count in zip(lengths, counts, strict=True):
        piece = torch.full((2, max(count), DIM), 100.0, dtype=hidden.dtype)
        for row in range(2):
            piece[row, : count[row]] = hidden[row, done[row] : done[row] + count[row]]
        output = stack(piece, state, length)
        for row in range(2):
            outputs[row].append(output[row, : count[row]])
            done[row] += count[row]
    assert state.positions == done
    for row in range(2):
        alone = stack(hidden[row : row + 1, : done[row]])[0]
        assert_alike(torch.cat(outputs[row]), alone)


def test_a_row_may_bring_nothing(stack, hidden):
    state = stack.new_state(2)
    stack(hidden[:, :5], state)
    stack(hidden[:, 5:9], state, torch.tensor([4, 0]))
    assert state.positions == [9, 5]
    output = stack(hidden[:, 9:10], state)
    expected = stack(torch.cat([hidden[1:, :5], hidden[1:, 9:10]], dim=1))[:, -1]
    assert_alike(output[1:, 0], expected)


def test_kept_rows_continue_as_before(stack, hidden):
    both, alone = stack.new_state(2), stack.new_state(1)
    stack(hidden[:, :20], both)
    stack(hidden[1:, :20], alone)
    both.keep_rows([1])
    assert_alike(stack(hidden[1:, 20:25], both), stack(hidden[1:, 20:25], alone))


def test_bytes_are_true(stack, hidden):
    _, state = in_pieces(stack, hidden[:, :30], 10)
    held = 0
    for layer in state.layers:
        match layer:
            case KeyValueState():
                held += layer.keys.nbytes + layer.values.nbytes
            case ScanState():
                assert layer.scan.dtype == torch.float32
                held += layer.scan.untyped_storage().nbytes()
                held += layer.window.untyped_storage().nbytes()
    assert state.nbytes == held > 0


def test_only_attention_grows(stack, hidden):
    _, state = in_pieces(stack, hidden[:, :10], 10)
    before = state.nbytes
    for _ in range(4):
        stack(hidden, state)
    grows = "A" in stack.config.layout
    assert (state.nbytes > before) == grows


def test_a_hint_saves_growth(stack, hidden):
    state = stack.new_state(2, capacity_hint=TIME)
    before = state.nbytes
    stack(hidden, state)
    assert state.nbytes == before


def test_a_pass_changes_no_attribute(stack, hidden):
    before = {name: tensor.clone() for name, tensor in stack.state_dict().items()}
    in_pieces(stack, hidden[:, :8], 4)
    after = stack.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_gradients_reach_every_weight(stack, hidden):
    stack.requires_grad_(True)
    stack(hidden[:, :9]).float().square().sum().backward()
    missing = [name for name, weight in stack.named_parameters() if weight.grad is None]
    assert missing == []
    assert all(weight.grad.isfinite().all() for weight in stack.parameters())
