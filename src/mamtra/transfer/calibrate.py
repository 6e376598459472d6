"""A better start without a single training step: output projections by least squares.

After the transfer a new mixer's inner output (normalised per head, decayed, without a softmax) is
on another scale than what the copied output projection was made for. Some sequences tell, for every
replaced layer, the inner output and what should come out; the output projection that fits best is
then the solution of a linear system (ridge regression).

Layers are solved one after the other. A layer reads what the student's earlier layers, already
solved, made of the sequences, and aims at the *teacher's* hidden state after the mixer: so it also
mends what the layers before it got wrong. A solution is therefore good for the layers that were
replaced with it: which ones, ``layers`` says.

Axes: n tokens, i inner width, d dim.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mamtra.backbone import Stack
from mamtra.backbone.block import Block
from mamtra.backbone.mixers.mixer import Mixer
from mamtra.backbone.mixers.recurrent import Recurrent
from mamtra.backbone.positions import Positions
from mamtra.transfer.align import replaced_layers

RIDGE = 1e-3  # relative to the mean square of the inner outputs


class Normal:
    """The normal equations of one layer, summed over sequences."""

    def __init__(self) -> None:
        self.squares: Any = 0.0
        self.products: Any = 0.0
        self.size = 0.0

    def add(
        self, inner: Float[Tensor, "tokens inner"], expected: Float[Tensor, "tokens dim"]
    ) -> None:
        """Take more tokens into account."""
        inner, expected = inner.double(), expected.double()
        self.squares = self.squares + inner.T @ inner
        self.products = self.products + inner.T @ expected
        self.size += float(expected.square().sum())

    def solve(self, ridge: float) -> Float[Tensor, "dim inner"]:
        """The projection with the least squared error."""
        weight = ridge * self.squares.diagonal().mean()
        identity = torch.eye(len(self.squares), dtype=torch.float64, device=self.squares.device)
        return torch.linalg.solve(self.squares + weight * identity, self.products).T

    def error(self, weight: Float[Tensor, "dim inner"]) -> float:
        """Squared error of a projection, relative to what was expected."""
        got = (weight @ self.squares @ weight.T).trace()
        both = (weight @ self.products).trace()
        return float(got - 2 * both) / self.size + 1.0


def inner_output(
    mixer: Any, hidden: Float[Tensor, "batch time dim"], positions: Positions
) -> Float[Tensor, "batch time inner"]:
    """What a mixer's output projection reads."""
    found: list[Tensor] = []

    def keep(_: Any, given: tuple[Tensor, ...]) -> None:
        found.append(given[0])

    handle = mixer.out_proj.register_forward_pre_hook(keep)
    try:
        mixer(hidden, positions)
    finally:
        handle.remove()
    return found[0]


def output_weight(mixer: Mixer) -> Tensor:
    """The weight of a recurrent mixer's output projection."""
    assert isinstance(mixer, Recurrent), "only recurrent mixers replace attention"
    weight = mixer.out_proj.weight
    assert isinstance(weight, Tensor)
    return weight


@dataclass(slots=True)
class Passage:
    """One batch of sequences on its way through both stacks.

    Attributes:
        real: which positions hold a token.
        theirs, ours: hidden states of teacher and student before the next layer.
    """

    positions: Positions
    real: Bool[Tensor, "batch time"]
    theirs: Float[Tensor, "batch time dim"]
    ours: Float[Tensor, "batch time dim"]

    def solve_for(self, block: Block, teacher: Block, equations: Normal) -> None:
        """Add what the student's mixer has, and what would bring it to the teacher's state."""
        expected = self.theirs + teacher.mixer(teacher.input_layernorm(self.theirs), self.positions)
        inner = inner_output(block.mixer, block.input_layernorm(self.ours), self.positions)
        equations.add(inner[self.real], (expected - self.ours)[self.real])

    def go_on(self, block: Block, teacher: Block) -> None:
        """Pass one layer of both stacks, once where they have the same states and layer."""
        same = block is teacher and self.ours is self.theirs
        passed = teacher(self.theirs, self.positions)
        self.ours = passed if same else block(self.ours, self.positions)
        self.theirs = passed


@torch.no_grad()
def calibrate(
    teacher: Stack,
    student: Stack,
    sequences: Iterable[tuple[Tensor, Tensor]],
    ridge: float = RIDGE,
    layers: Collection[int] | None = None,
) -> dict[int, float]:
    """Set the output projection of every replaced layer to the least squares solution.

    Args:
        teacher: all attention where the student has Mamba.
        student: changed in place.
        sequences: embeddings that the teacher reads (batch, time, dim), and which positions hold a
            token (batch, time). There should be several times as many tokens as a mixer is wide.
        ridge: how strongly large weights are avoided.
        layers: only these of the replaced layers are solved, as in a student whose other layers are
            the teacher's own; without it all are.

    Returns:
        Relative squared error of each replaced layer on these sequences, as fitted.

    Raises:
        LayoutError: the stacks have different numbers of layers.
    """
    replaced, errors = replaced_layers(teacher, student), dict[int, float]()
    solved = [layer for layer in replaced if layers is None or layer in layers]
    passages = [
        Passage(student.positions_for(inputs), real, inputs, inputs) for inputs, real in sequences
    ]
    for layer in range(max(solved, default=-1) + 1):
        theirs, block = teacher.blocks[layer], student.blocks[layer]
        if layers is not None and layer not in solved:
            block = theirs
        if layer in solved:
            equations = Normal()
            for passage in passages:
                passage.solve_for(block, theirs, equations)
            weight = equations.solve(ridge)
            errors[layer] = equations.error(weight)
            output_weight(block.mixer).copy_(weight)
        for passage in passages:
            passage.go_on(block, theirs)
    return errors
