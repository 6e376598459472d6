"""Make a hybrid student from an attention teacher.

The student is the teacher's model with another layout: where the layout keeps attention, and
everywhere outside the mixers, it takes the teacher's tensors as they are; where it says another
mixer, that starts as ``start`` says.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, get_args

import torch
from torch import nn

from mamtra.backbone import BackboneConfig, Layout
from mamtra.backbone.config import ATTENTION, KINDS, kind_of
from mamtra.backbone.mixers.variant import Variant
from mamtra.errors import ConfigError, LayoutError
from mamtra.transfer.projections import TransferReport, transfer

Start = Literal["attention", "xavier", "kaiming", "random"]


def student_config(config: Any, layout: Layout | str, variants: Sequence[Variant] = ()) -> Any:
    """The teacher's config with another layout and other variants of its recurrent mixers.

    ``config`` is a ``BackboneConfig``, or the config of a model that holds one as ``backbone``.

    Raises:
        LayoutError: the layout has another number of layers, or another kind where the teacher has
            no attention.
    """
    if not isinstance(config, BackboneConfig):
        backbone = student_config(config.backbone, layout, variants)
        return replace(config, backbone=backbone)
    expected = Layout.parse(str(layout))
    if len(expected) != config.layers:
        raise LayoutError(
            f"layout {expected} has {len(expected)} layers and the teacher {config.layers}; "
            f"give one letter for each of the teacher's layers"
        )
    for layer, (ours, theirs) in enumerate(zip(expected, config.layout, strict=True)):
        if ours != theirs != ATTENTION:
            raise LayoutError(
                f"layout {expected} wants {KINDS[ours].name} at layer {layer}, where the teacher "
                f"({config.layout}) has {KINDS[theirs].name}; only attention can become another "
                f"mixer"
            )
    changes: dict[str, Any] = {KINDS[kind_of(variant)].field: variant for variant in variants}
    return replace(config, layout=str(expected), **changes)


@torch.no_grad()
def start_mixers(student: nn.Module, start: str) -> None:
    """Draw input and output projections of recurrent mixers anew; biases and the rest stay."""
    draw = nn.init.xavier_uniform_ if start == "xavier" else nn.init.kaiming_uniform_
    for name, weight in student.named_parameters():
        if name.endswith((".mixer.in_proj.weight", ".mixer.out_proj.weight")):
            draw(weight)


def make_student(
    teacher: nn.Module,
    layout: Layout | str,
    start: str = "attention",
    variants: Sequence[Variant] = (),
    seed: int = 0,
) -> tuple[nn.Module, TransferReport]:
    """Build the student; the teacher is not changed.

    Args:
        teacher: a ``Stack``, or a model around one, with its ``config``.
        layout: which layers stay attention.
        start: "attention" takes the teacher's projections, the paper's way; "xavier" and "kaiming"
            draw those of the new mixers at random and copy the rest; "random" copies nothing.
        variants: of the new mixers, at most one of a kind; the teacher's own where there is none.
        seed: of everything that starts at random.

    Returns:
        The student, in the teacher's type and on its device, and what became of each tensor.

    Raises:
        ConfigError: the start is unknown, or the new mixers' sizes do not fit the teacher's.
        LayoutError: the layout does not fit the teacher.
    """
    if start not in get_args(Start):
        raise ConfigError(f"start={start!r} is unknown; possible are {', '.join(get_args(Start))}")
    own: Any = teacher.config
    config = student_config(own, layout, variants)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        student = type(teacher)(config)
        if start in ("xavier", "kaiming"):
            start_mixers(student, start)
    example = next(teacher.parameters())
    student.to(dtype=example.dtype, device=example.device)
    sizes = config if isinstance(config, BackboneConfig) else config.backbone
    tensors, report = transfer(
        {} if start == "random" else teacher.state_dict(),
        student.state_dict(),
        sizes,
        mixers=start == "attention",
    )
    student.load_state_dict(tensors)
    return student, report
