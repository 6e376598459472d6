"""Alignment: each new mixer learns by itself to do what the attention it replaces does.

One pass of the teacher gives every layer's input and output; all new mixers then learn at once on
the *teacher's* inputs, so no error of one layer reaches the next and no gradient crosses layers
(the first stages of MOHAWK, arXiv 2408.10189, and of its successors). Afterwards the whole student
is distilled end to end.

The loss of a layer is its relative squared error, so that layers with small outputs count as well.

Axes: b batch, t time, d dim.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mamtra.backbone import Stack
from mamtra.backbone.block import Block
from mamtra.backbone.positions import Positions
from mamtra.errors import ConfigError, LayoutError

Target = Literal["mixer", "hidden"]
Hidden = Float[Tensor, "batch time dim"]


@dataclass(frozen=True, slots=True)
class LayerTrace:
    """What one layer of the teacher did.

    Attributes:
        hidden: what the layer read.
        normal: the same after its first norm, which is what the mixer read.
        mixed: what the mixer gave.
        output: what the layer passed on.
    """

    layer: int
    hidden: Hidden
    normal: Hidden
    mixed: Hidden
    output: Hidden


def replaced_layers(teacher: Stack, student: Stack) -> list[int]:
    """Layers whose mixer is of another kind than the teacher's.

    Raises:
        LayoutError: the stacks have different numbers of layers.
    """
    theirs, ours = teacher.config.layout, student.config.layout
    if len(theirs) != len(ours):
        raise LayoutError(
            f"the teacher has {len(theirs)} layers and the student {len(ours)}; only stacks of one "
            f"length can be aligned"
        )
    return [layer for layer in range(len(ours)) if ours[layer] != theirs[layer]]


@torch.no_grad()
def layer_traces(teacher: Stack, hidden: Hidden, layers: list[int]) -> Iterator[LayerTrace]:
    """Run the teacher once; yields what these layers did, from the first on."""
    positions = teacher.positions_for(hidden)
    for layer, block in enumerate(teacher.blocks):
        normal = block.input_layernorm(hidden)
        mixed = block.mixer(normal, positions)
        between = hidden + mixed
        output = between + block.mlp(block.post_attention_layernorm(between))
        if layer in layers:
            yield LayerTrace(layer, hidden, normal, mixed, output)
            if layer == layers[-1]:
                return
        hidden = output


def relative_error(
    got: Hidden, expected: Hidden, real: Bool[Tensor, "batch time"]
) -> Float[Tensor, ""]:
    """Squared error over squared size, in float32, padding left out."""
    got, expected = got[real].float(), expected[real].float()
    return (got - expected).square().sum() / expected.square().sum().clamp_min(1e-12)


def outputs_of(
    block: Block, trace: LayerTrace, positions: Positions, target: str
) -> tuple[Hidden, Hidden]:
    """What the student's layer makes of the same input, and what it should have made of it."""
    if target == "mixer":
        return block.mixer(trace.normal, positions), trace.mixed
    return block(trace.hidden, positions) - trace.hidden, trace.output - trace.hidden


def alignment(
    teacher: Stack,
    student: Stack,
    inputs: Hidden,
    real: Bool[Tensor, "batch time"],
    target: str = "mixer",
) -> dict[int, Float[Tensor, ""]]:
    """Relative squared error of every replaced layer on the teacher's own inputs.

    Args:
        teacher: gets no gradient.
        student: a stack of the same length; its other layers are not run.
        inputs: the embeddings that the teacher reads.
        real: which positions hold a token.
        target: "mixer" compares the mixers' outputs, "hidden" what the whole layer adds.

    Returns:
        The error of each replaced layer; their mean is the loss to minimise.

    Raises:
        ConfigError: the target is unknown.
        LayoutError: nothing was replaced, or the stacks have different lengths.
    """
    if target not in get_args(Target):
        raise ConfigError(
            f"target={target!r} is unknown; possible are {', '.join(get_args(Target))}"
        )
    layers = replaced_layers(teacher, student)
    if not layers:
        raise LayoutError(
            f"student and teacher have the same layout {teacher.config.layout}; nothing to align"
        )
    positions, blocks = student.positions_for(inputs), student.blocks
    return {
        trace.layer: relative_error(
            *outputs_of(blocks[trace.layer], trace, positions, target), real
        )
        for trace in layer_traces(teacher, inputs, layers)
    }
