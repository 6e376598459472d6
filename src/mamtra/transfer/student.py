"""Make a hybrid student from an attention teacher.

The student is the teacher's model with another layout: where the layout keeps attention, and
everywhere outside the mixers, it takes the teacher's tensors as they are; where it says Mamba, the
mixer starts as ``start`` says.
"""

from dataclasses import replace
from typing import Any, Literal, get_args

import torch
from torch import nn

from mamtra.backbone import BackboneConfig, Layout, MambaConfig, as_config
from mamtra.backbone.mixers.mamba import as_mamba
from mamtra.errors import ConfigError, LayoutError
from mamtra.transfer.projections import TransferReport, transfer

Start = Literal["attention", "xavier", "kaiming", "random"]


def student_config(config: Any, layout: Layout | str, mamba: MambaConfig) -> Any:
    """The teacher's config with another layout and other Mamba layers.

    ``config`` is a ``BackboneConfig``, or the config of a model that holds one as ``backbone``.

    Raises:
        LayoutError: the layout has another number of layers, or attention where the teacher has
            Mamba.
    """
    if not isinstance(config, BackboneConfig):
        backbone = student_config(as_config(config.backbone), layout, mamba)
        return replace(config, backbone=backbone)
    wanted = Layout.parse(str(layout))
    if len(wanted) != config.layers:
        raise LayoutError(
            f"layout {wanted} has {len(wanted)} layers and the teacher {config.layers}; "
            f"give one letter for each of the teacher's layers"
        )
    for layer, (ours, theirs) in enumerate(zip(wanted, config.layout, strict=True)):
        if ours == "A" and theirs != "A":
            raise LayoutError(
                f"layout {wanted} wants attention at layer {layer}, where the teacher "
                f"({config.layout}) has none; only attention can become Mamba"
            )
    return replace(config, layout=str(wanted), mamba=mamba)


@torch.no_grad()
def start_mixers(student: nn.Module, start: str) -> None:
    """Draw the Mamba layers' input and output projections anew; biases and the rest stay."""
    draw = nn.init.xavier_uniform_ if start == "xavier" else nn.init.kaiming_uniform_
    for name, weight in student.named_parameters():
        if name.endswith((".in_proj.weight", ".mixer.out_proj.weight")):
            draw(weight)


def make_student(
    teacher: nn.Module,
    layout: Layout | str,
    start: str = "attention",
    mamba: MambaConfig | None = None,
    seed: int = 0,
) -> tuple[nn.Module, TransferReport]:
    """Build the student; the teacher is not changed.

    Args:
        teacher: a ``Stack``, or a model around one, with its ``config``.
        layout: which layers stay attention.
        start: "attention" takes the teacher's projections, the paper's way; "xavier" and "kaiming"
            draw those of the Mamba layers at random and copy the rest; "random" copies nothing.
        mamba: the Mamba layers' variant; the teacher's own where it is None.
        seed: of everything that starts at random.

    Returns:
        The student, in the teacher's type and on its device, and what became of each tensor.

    Raises:
        ConfigError: the start is unknown, or the Mamba sizes do not fit the teacher's.
        LayoutError: the layout does not fit the teacher.
    """
    if start not in get_args(Start):
        raise ConfigError(f"start={start!r} is unknown; possible are {', '.join(get_args(Start))}")
    own: Any = teacher.config
    backbone = own if isinstance(own, BackboneConfig) else as_config(own.backbone)
    config = student_config(own, layout, mamba or as_mamba(backbone.mamba))
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
