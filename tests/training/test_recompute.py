"""Recomputed layers give the gradients of kept ones and keep far less."""

import pytest
import torch
from torch import Tensor

from mamtra.backbone import BackboneConfig, Stack


def gradients_and_kept(recompute: bool) -> tuple[list[Tensor], int]:
    """Gradients of one pass, and the numbers that autograd held for it."""
    torch.manual_seed(0)
    config = BackboneConfig(
        dim=16, layout="AMAM", query_heads=2, kv_heads=1, head_dim=8, mlp_dim=64
    )
    stack = Stack(config)
    stack.recompute = recompute
    hidden = torch.randn(2, 40, 16)
    held: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = stack(hidden).square().mean()
    loss.backward()
    return [weight.grad for weight in stack.parameters() if weight.grad is not None], sum(
        held.values()
    )


def test_recomputed_layers_give_the_same_gradients_from_less_memory() -> None:
    (kept, much), (again, little) = gradients_and_kept(False), gradients_and_kept(True)
    assert len(kept) == len(again) > 0
    for one, other in zip(kept, again, strict=True):
        torch.testing.assert_close(one, other)
    assert little < much / 4


@pytest.mark.parametrize("recompute", [False, True])
def test_a_stack_that_recomputes_still_continues_from_a_state(recompute) -> None:
    stack = Stack(
        BackboneConfig(dim=8, layout="AM", query_heads=1, kv_heads=1, head_dim=8, mlp_dim=8)
    )
    stack.recompute = recompute
    hidden = torch.randn(1, 6, 8)
    state = stack.new_state(1)
    pieces = torch.cat([stack(hidden[:, :4], state), stack(hidden[:, 4:], state)], dim=1)
    torch.testing.assert_close(pieces, stack(hidden))
