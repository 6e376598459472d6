"""Getting a stack ready to speak: projections that read the same vector become one product.

A stack in training has one layer per projection, under the names that checkpoints use. To speak,
fewer and larger products are faster, and their weights may have another type. ``ready_block``
changes a stack in place, block by block, and lets go of each block's old weights at once, so that a
large model is never in memory twice.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import torch
from torch import nn

from mamtra.backbone.block import Block
from mamtra.backbone.mixers.attention import Attention
from mamtra.runtime.torch.int8 import Int8Linear

WeightType = Literal["float32", "bfloat16", "int8"]
WEIGHT_TYPES: tuple[str, ...] = get_args(WeightType)
FLOATS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def activation_type(dtype: WeightType) -> torch.dtype:
    """The type that vectors have between layers whose weights are of this type."""
    return FLOATS.get(dtype, torch.float32)


def one_layer(parts: Sequence[nn.Linear], dtype: WeightType) -> Any:
    """Linear layers that read the same vector as one, rows below each other; or its 8-bit form."""
    with torch.no_grad():
        weight = torch.cat([part.weight.detach() for part in parts])
        biases = [part.bias.detach() for part in parts if part.bias is not None]
        bias = torch.cat(biases) if biases else None
        if dtype == "int8":
            return Int8Linear(weight, bias)
        joined = nn.Linear(1, 1, bias=bias is not None)
        joined.out_features, joined.in_features = weight.shape
        weight = weight.to(FLOATS[dtype])
        if dtype == "float32" and weight.shape[0] > weight.shape[1]:
            # columns side by side: one vector times a tall matrix is twice as fast on a CPU
            weight = weight.t().contiguous().t()
        joined.weight = nn.Parameter(weight, requires_grad=False)
        if bias is not None:
            joined.bias = nn.Parameter(bias.to(FLOATS[dtype]), requires_grad=False)
        return joined


def fuse_attention(mixer: Attention, dtype: WeightType) -> None:
    """One product for queries, keys and values, and one for the output."""
    mixer.join(one_layer(mixer.projections, dtype))
    mixer.o_proj = one_layer([mixer.o_proj], dtype)


def fuse_each(mixer: nn.Module, dtype: WeightType) -> None:
    """Each linear layer by itself."""
    for name, part in [*mixer.named_children()]:
        if isinstance(part, nn.Linear):
            setattr(mixer, name, one_layer([part], dtype))


# by the kind of mixer; any other keeps its linear layers apart
FUSE: dict[type, Callable[[Any, WeightType], None]] = {Attention: fuse_attention}


def ready_block(block: Block, dtype: WeightType) -> None:
    """Join a block's projections and give its weights their type, in place."""
    FUSE.get(type(block.mixer), fuse_each)(block.mixer, dtype)
    block.mlp.join(one_layer(block.mlp.projections, dtype))
    block.mlp.down_proj = one_layer([block.mlp.down_proj], dtype)
    block.to(activation_type(dtype)).requires_grad_(False)
