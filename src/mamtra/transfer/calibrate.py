"""A better start without a single training step: output projections by least squares.

After the transfer a new mixer's inner output (normalised per head, decayed, without a softmax) is
on another scale than what the copied output projection was made for. One pass of the teacher over
some sequences tells, for every replaced layer, the inner output and what attention answered; the
output projection that fits best is then the solution of a linear system (ridge regression).

Axes: n places, i inner width, d dim.
"""

from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from mamtra.backbone import Stack
from mamtra.backbone.span import Span
from mamtra.transfer.align import lessons, replaced_layers

RIDGE = 1e-3  # relative to the mean square of the inner outputs


class Normal:
    """The normal equations of one layer, summed over sequences."""

    def __init__(self) -> None:
        self.squares: Tensor | None = None
        self.products: Tensor | None = None
        self.places = 0

    def add(
        self, inner: Float[Tensor, "places inner"], wanted: Float[Tensor, "places dim"]
    ) -> None:
        """Take more places into account."""
        inner, wanted = inner.double(), wanted.double()
        squares, products = inner.T @ inner, inner.T @ wanted
        self.squares = squares if self.squares is None else self.squares + squares
        self.products = products if self.products is None else self.products + products
        self.places += len(inner)

    def solve(self, ridge: float) -> Float[Tensor, "dim inner"]:
        """The projection with the least squared error."""
        assert self.squares is not None
        assert self.products is not None
        weight = ridge * self.squares.diagonal().mean()
        lifted = self.squares + weight * torch.eye(len(self.squares), dtype=torch.float64)
        return torch.linalg.solve(lifted, self.products).T


def inner_output(
    mixer: Any, hidden: Float[Tensor, "batch time dim"], span: Span
) -> Float[Tensor, "batch time inner"]:
    """What a mixer's output projection reads."""
    found: list[Tensor] = []

    def keep(_: Any, given: tuple[Tensor, ...]) -> None:
        found.append(given[0])

    handle = mixer.out_proj.register_forward_pre_hook(keep)
    try:
        mixer(hidden, span)
    finally:
        handle.remove()
    return found[0]


@torch.no_grad()
def calibrate(
    teacher: Stack,
    student: Stack,
    sequences: Iterable[tuple[Tensor, Tensor]],
    ridge: float = RIDGE,
) -> dict[int, float]:
    """Set the output projection of every replaced layer to the least squares solution.

    Args:
        teacher: all attention where the student has Mamba.
        student: changed in place.
        sequences: embeddings that the teacher reads (batch, time, dim), and which places hold a
            token (batch, time). There should be several times as many places as a mixer is wide.
        ridge: how strongly large weights are avoided.

    Returns:
        Relative squared error of each replaced layer on these sequences, as fitted.
    """
    layers, blocks = replaced_layers(teacher, student), student.blocks
    normal = {layer: Normal() for layer in layers}
    sizes = dict.fromkeys(layers, 0.0)
    for inputs, real in sequences:
        span = student.span(inputs)
        for lesson in lessons(teacher, inputs, layers):
            inner = inner_output(blocks[lesson.layer].mixer, lesson.normal, span)
            wanted = lesson.mixed[real]
            normal[lesson.layer].add(inner[real], wanted)
            sizes[lesson.layer] += float(wanted.double().square().sum())
    errors = {}
    for layer, equations in normal.items():
        weight = equations.solve(ridge)
        blocks[layer].mixer.out_proj.weight.copy_(weight)
        assert equations.squares is not None
        assert equations.products is not None
        left = (weight @ equations.squares @ weight.T).trace() - 2 * (
            weight @ equations.products
        ).trace()
        errors[layer] = float(left) / sizes[layer] + 1.0
    return errors
