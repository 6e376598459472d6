"""Choosing the layers that stay attention."""

import pytest
import torch

from mamtra.backbone import BackboneConfig, Layout, Stack
from mamtra.errors import LayoutError
from mamtra.transfer import make_student
from mamtra.transfer.placement import (
    Silence,
    greedy,
    importance_by_cosine,
    importance_by_measure,
    missed_least,
    mixers_replaced,
)


@pytest.fixture
def stack() -> Stack:
    """Four layers of which the third does most and the first nothing."""
    torch.manual_seed(0)
    sizes = {"query_heads": 4, "kv_heads": 2, "head_dim": 4, "mlp_dim": 16}
    stack = Stack(BackboneConfig(dim=16, layout="AAAA", **sizes)).requires_grad_(False)
    for layer, strength in enumerate([0.0, 0.5, 8.0, 1.0]):
        stack.layers[layer].mixer.o_proj.weight.mul_(strength)
    return stack


@pytest.fixture
def hidden() -> torch.Tensor:
    return torch.randn(2, 9, 16)


def distance(stack, hidden):
    wanted = stack(hidden)
    return lambda: (stack(hidden) - wanted).square().mean().item()


def test_the_cosine_finds_the_strong_and_the_idle_layer(stack, hidden):
    importance = importance_by_cosine(stack, hidden)
    assert importance.argmax() == 2
    assert importance[0].abs() < 1e-6


class Halves(torch.nn.Module):
    """Adds to each token what stands at a right angle to it, and as long."""

    def forward(self, hidden, positions, state):
        del positions, state
        return hidden.roll(hidden.shape[-1] // 2, -1)


class Echo(torch.nn.Module):
    """Adds each token to itself."""

    def forward(self, hidden, positions, state):
        del positions, state
        return hidden


def test_the_cosine_is_that_of_each_token_before_and_after_its_mixer(stack, hidden):
    hidden = torch.nn.functional.normalize(hidden, dim=-1) * 4  # as long as the norm makes it
    hidden[..., 8:] = 0
    hidden = torch.nn.functional.normalize(hidden, dim=-1) * 4
    with mixers_replaced(stack, {0: Halves()}):
        assert importance_by_cosine(stack, hidden)[0] == pytest.approx(1 - 0.5**0.5, abs=1e-4)
    with mixers_replaced(stack, {0: Echo()}):  # half as long: taken away, it would turn round
        assert importance_by_cosine(stack, hidden / 2)[0] == pytest.approx(0, abs=1e-5)


def test_a_measure_finds_them_too_and_leaves_the_stack_as_it_was(stack, hidden):
    before = stack(hidden)
    importance = importance_by_measure(stack, distance(stack, hidden))
    assert importance.argmax() == 2
    assert importance[0] == 0
    assert torch.equal(stack(hidden), before)


def test_known_results_are_not_measured_again(stack, hidden):
    calls = []
    known = {0: 1.0, 1: 2.0, 2: 3.0}
    importance_by_measure(stack, lambda: calls.append(1) or 0.5, known=known)
    assert len(calls) == 2
    assert known[3] == 0.5


def test_greedy_search_gives_up_the_idle_layer_first(stack, hidden):
    student, _ = make_student(stack, "MMMM")
    replacements = [block.mixer for block in student.layers]
    for mixer in replacements:
        torch.nn.init.zeros_(mixer.out_proj.weight)
    measure, rounds = distance(stack, hidden), []
    layout = greedy(stack, measure, 1, replacements, rounds)
    assert [len(results) for results in rounds] == [4, 3, 2]
    assert missed_least(rounds[0]) == 0
    assert layout == Layout("MMAM")
    assert stack.layers[0].mixer is not replacements[0]
    assert layout == greedy(stack, measure, 1), "these mixers do nothing either"


def test_a_stopped_search_goes_on_and_a_round_knows_what_is_gone(stack, hidden):
    measure, rounds, calls = distance(stack, hidden), [], []
    greedy(stack, measure, 1, rounds=rounds)
    left = [dict(rounds[0]), {layer: rounds[1][layer] for layer in (1, 2)}]
    assert greedy(stack, measure, 1, rounds=left, report=lambda: calls.append(1)) == Layout("MMAM")
    assert left == rounds
    assert len(calls) == 3
    with mixers_replaced(stack, {0: Silence(), missed_least(rounds[1]): Silence(), 2: Silence()}):
        assert measure() == rounds[2][2]
    assert greedy(stack, measure, 0) == Layout("MMMM")
    with pytest.raises(LayoutError, match="5 attention layers"):
        greedy(stack, measure, 5)
    with pytest.raises(LayoutError):
        greedy(stack, measure, -1)
