"""The losses of distillation."""

import pytest
import torch
from torch.testing import assert_close

from mamtra.errors import ConfigError
from mamtra.transfer.losses import (
    DistillLosses,
    cross_entropy,
    distillation,
    embedding_distance,
    skewed_reverse_kl,
)


def test_the_divergence_is_the_papers_formula():
    torch.manual_seed(0)
    student, teacher = torch.randn(5, 11), torch.randn(5, 11)
    ours, theirs = student.double().softmax(-1), teacher.double().softmax(-1)
    mixed = 0.9 * theirs + 0.1 * ours
    expected = (ours * (ours / mixed).log()).sum(-1).mean()
    assert_close(skewed_reverse_kl(student, teacher).double(), expected, atol=1e-6, rtol=1e-6)


def test_equal_answers_cost_nothing():
    logits = torch.randn(4, 7, requires_grad=True)
    loss = skewed_reverse_kl(logits, logits.detach() + 3.0)
    loss.backward()
    assert_close(loss.detach(), torch.tensor(0.0), atol=1e-6, rtol=0)
    assert logits.grad.abs().max() < 1e-6


def test_answers_the_teacher_excludes_stay_finite():
    student = torch.tensor([[0.0, 50.0]], requires_grad=True)
    loss = skewed_reverse_kl(student, torch.tensor([[80.0, -80.0]]))
    loss.backward()
    assert 2.0 < loss.item() < 2.31  # at most log 10, because of the skew
    assert student.grad.isfinite().all()


def test_the_teacher_gets_no_gradient():
    teacher = torch.randn(3, 4, requires_grad=True)
    skewed_reverse_kl(torch.randn(3, 4, requires_grad=True), teacher).backward()
    assert teacher.grad is None


def test_losses_are_computed_in_float32():
    logits = torch.randn(3, 4).bfloat16()
    assert skewed_reverse_kl(logits, logits).dtype == torch.float32
    assert cross_entropy(logits, torch.tensor([0, 1, 2])).dtype == torch.float32
    assert embedding_distance(logits, logits).dtype == torch.float32


def test_the_sum_has_the_papers_weights():
    student, teacher, inputs = torch.randn(3, 6), torch.randn(3, 6), torch.randn(5, 2)
    parts = distillation(
        DistillLosses(), student, teacher, torch.tensor([0, 5, 2]), inputs, inputs + 1.0
    )
    expected = 0.5 * parts["ce"] + 0.125 * parts["logits"] + 0.125 * parts["embedding"]
    assert_close(parts["loss"], expected)
    assert_close(parts["embedding"], torch.tensor(1.0))


def test_impossible_weights_are_refused():
    with pytest.raises(ConfigError, match=r"ce=-1\.0 must not be negative"):
        DistillLosses(ce=-1.0)
    with pytest.raises(ConfigError, match="skew=1"):
        DistillLosses(skew=1.0)


def test_each_loss_may_be_left_out():
    losses = DistillLosses(ce=0.0, logits=0.0, embedding=0.0)
    assert (losses.ce, losses.logits, losses.embedding) == (0.0, 0.0, 0.0)
    given = torch.randn(3, 6), torch.randn(3, 6), torch.tensor([0, 5, 2])
    inputs = torch.randn(5, 2), torch.randn(5, 2)
    whole, weights = distillation(DistillLosses(), *given, *inputs), DistillLosses()
    for name in ("ce", "logits", "embedding"):
        parts = distillation(DistillLosses(**{name: 0.0}), *given, *inputs)
        assert parts.keys() == whole.keys() - {name}
        assert_close(parts["loss"], whole["loss"] - getattr(weights, name) * whole[name])
