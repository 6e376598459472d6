"""Rows that come into a running memory."""

import pytest
import torch

from mamtra.backbone import BackboneConfig, Stack

DIM = 16


@pytest.fixture(params=["AM", "A", "M", "G", "AGM"])
def stack(request: pytest.FixtureRequest) -> Stack:
    torch.manual_seed(0)
    config = BackboneConfig(
        dim=DIM, layout=request.param, query_heads=2, kv_heads=1, head_dim=8, mlp_dim=24
    )
    return Stack(config).eval()


@pytest.mark.parametrize("tokens", [1, 7, 300])  # less, as much and more than the others have
@torch.inference_mode()
def test_a_row_put_into_a_running_memory_goes_on_as_alone(stack: Stack, tokens: int) -> None:
    hidden = torch.randn(4, 310, DIM)
    running, own, alone = stack.new_state(3), stack.new_state(1), stack.new_state(3)
    stack(hidden[:3, :7], running)
    stack(hidden[:3, :7], alone)
    stack(hidden[3:, :tokens], own)
    running.copy_row(1, own)
    assert running.positions == [7, tokens, 7]
    following = torch.randn(3, 5, DIM)
    for place in range(5):
        step = following[:, place : place + 1]
        mixed, neighbours = stack(step, running), stack(step, alone)
        torch.testing.assert_close(mixed[[0, 2]], neighbours[[0, 2]])
        torch.testing.assert_close(mixed[1:2], stack(step[1:2], own))


@torch.inference_mode()
def test_what_the_row_held_before_is_forgotten(stack: Stack) -> None:
    hidden = torch.randn(2, 30, DIM)
    running, own = stack.new_state(1), stack.new_state(1)
    stack(hidden[:1], running)
    stack(hidden[1:, :4], own)
    running.copy_row(0, own)
    torch.testing.assert_close(stack(hidden[1:, 4:9], running), stack(hidden[1:, 4:9], own))


@torch.inference_mode()
def test_a_memory_taken_over_goes_on_as_the_one_it_was_taken_from(stack: Stack) -> None:
    hidden, following = torch.randn(2, 300, DIM), torch.randn(2, 1, DIM)
    own, other = stack.new_state(2, 512), stack.new_state(2)
    stack(hidden, other)
    for mine, theirs in zip(own.layers, other.layers, strict=True):
        mine.copy_from(theirs)
    own.positions = list(other.positions)
    torch.testing.assert_close(stack(following, own), stack(following, other))
