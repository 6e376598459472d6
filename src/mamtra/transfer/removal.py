"""The rival of the hybrid: a teacher with whole layers taken out, to be healed by distillation.

Fewer layers cost less memory and time as well, with no new kind of layer. Every comparison of
hybrids with their teacher should hold against this (SPADE, arXiv 2509.20802, removes half of
CosyVoice 2's layers).
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from mamtra.backbone import BackboneConfig
from mamtra.errors import LayoutError
from mamtra.transfer.projections import Transferred, TransferReport

LAYER = re.compile(r"\blayers\.(\d+)\.")


def kept_config(config: Any, kept: list[int]) -> Any:
    """The teacher's config with only these layers."""
    if not isinstance(config, BackboneConfig):
        return replace(config, backbone=kept_config(config.backbone, kept))
    return replace(config, layout="".join(config.layout[layer] for layer in kept))


def new_name(name: str, new_index: dict[int, int]) -> str | None:
    """The name of a teacher's tensor in the shorter model; None if its layer is gone."""
    found = LAYER.search(name)
    if found is None:
        return name
    layer = int(found[1])
    if layer not in new_index:
        return None
    return f"{name[: found.start(1)]}{new_index[layer]}{name[found.end(1) :]}"


@torch.no_grad()
def keep_layers(teacher: nn.Module, kept: Iterable[int]) -> tuple[nn.Module, TransferReport]:
    """A copy of the teacher with only some of its layers; the teacher is not changed.

    Args:
        teacher: a ``Stack``, or a model around one, with its ``config``.
        kept: layers that stay, 0 is the first; their order does not matter.

    Returns:
        The shorter model in the teacher's type and on its device, and what became of each tensor.

    Raises:
        LayoutError: a layer does not exist, or none is left.
    """
    own: Any = teacher.config
    backbone = own if isinstance(own, BackboneConfig) else own.backbone
    chosen = sorted(set(kept))
    wrong = [layer for layer in chosen if not 0 <= layer < backbone.layers]
    if wrong or not chosen:
        given = f"layer {wrong[0]} does not exist" if wrong else "no layer would be left"
        raise LayoutError(f"{given}; keep some of the layers 0 to {backbone.layers - 1}")
    new_index = {layer: index for index, layer in enumerate(chosen)}
    tensors: dict[str, Tensor] = {}
    entries = []
    for name, tensor in teacher.state_dict().items():
        ours = new_name(name, new_index)
        if ours is None:
            entries.append(Transferred(name, "unused", (), tensor.numel()))
        else:
            tensors[ours] = tensor.clone()
            entries.append(Transferred(ours, "copied", (name,), tensor.numel()))
    shorter = type(teacher)(kept_config(own, chosen))
    example = next(teacher.parameters())
    shorter.to(dtype=example.dtype, device=example.device).load_state_dict(tensors)
    return shorter, TransferReport(tuple(entries))
