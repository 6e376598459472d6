"""Names of others' tensors: literal tables from theirs to ours, and the sizes that shapes tell.

In a table ``N`` and ``M`` stand for numbers between dots.
"""

import re
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

from torch import Tensor

from mamtra.backbone import BackboneConfig
from mamtra.errors import CheckpointError, listed

BUFFER = "rotary_emb.inv_freq"  # older transformers saved this table, which follows from the sizes
NUMBERS = ("N", "M")
TABLE = 2  # axes of most entries that tell a size
AXES = {"conv": 3, "frequencies": 1, "lookahead": 3, "mel": 3, "queries": 3}  # where not, by role

Sizes = dict[str, tuple[int, ...]]


def is_buffer(name: str) -> bool:
    """Whether an entry is a table that follows from the sizes, and is not read."""
    return name.endswith(BUFFER)


@cache
def pattern_of(theirs: str) -> re.Pattern[str]:
    """A name of a table, ready to be matched."""
    parts = theirs.split(".")
    return re.compile(r"\.".join(rf"(?P<{p}>\d+)" if p in NUMBERS else re.escape(p) for p in parts))


def renamed(name: str, table: Mapping[str, str]) -> str | None:
    """Our name of a tensor; None where the table has none."""
    if name in table:
        return table[name]
    for theirs, ours in table.items():
        if found := pattern_of(theirs).fullmatch(name):
            return ".".join(found.groupdict().get(part, part) for part in ours.split("."))
    return None


def rename_all(
    tensors: Mapping[str, Any],
    table: Mapping[str, str],
    what: str,
    advice: str,
    unused: Collection[str] = (),
) -> dict[str, Tensor]:
    """All tensors under our names, without those that are left out on purpose.

    Args:
        tensors: a checkpoint's entries.
        table: from their names to ours.
        what: the checkpoint is, and ``advice``, what to give instead; for the message.
        unused: entries that are not read.

    Raises:
        CheckpointError: an entry is in neither; all such are listed.
    """
    found = {name: renamed(name, table) for name in tensors if name not in unused}
    if unknown := sorted(name for name, ours in found.items() if ours is None):
        raise CheckpointError(
            f"{len(unknown)} entries are not part of {what}: {listed(unknown)}; {advice}"
        )
    return {ours: tensors[name] for name, ours in found.items() if ours is not None}


def check_axes(tensors: Mapping[str, Any], axes: Mapping[str, int], advice: str) -> None:
    """Refuse entries of another form than those whose sizes are read.

    Args:
        tensors: a checkpoint's entries.
        axes: how many axes an entry has, by its name.
        advice: what to give instead.

    Raises:
        CheckpointError: one is empty, or has more or fewer axes; all such are listed.
    """
    wrong = [
        f"{name} {tuple(tensors[name].shape)} instead of {count} axes that are not empty"
        for name, count in axes.items()
        if tensors[name].dim() != count or 0 in tensors[name].shape
    ]
    if wrong:
        raise CheckpointError(f"entries of another shape: {listed(wrong)}; {advice}")


def sizes_of(
    tensors: Mapping[str, Any], carriers: Mapping[str, str], what: str, advice: str
) -> Sizes:
    """The shapes of the entries that tell the sizes, by their role.

    Raises:
        CheckpointError: one is missing, or no table where one should be.
    """
    if missing := [name for name in carriers.values() if name not in tensors]:
        raise CheckpointError(f"this is not {what}: {listed(missing)} missing; {advice}")
    axes = {name: AXES.get(role, TABLE) for role, name in carriers.items()}
    check_axes(tensors, axes, advice)
    return {role: tuple(tensors[name].shape) for role, name in carriers.items()}


def layers_in(tensors: Mapping[str, Any], mark: str) -> int:
    """How many layers there are, by the name of a tensor that each has."""
    layers = 0
    while mark.replace("N", str(layers)) in tensors:
        layers += 1
    return layers


def backbone_of(sizes: Sizes, layout: str, head_dim: int, **more: Any) -> BackboneConfig:
    """The backbone of a checkpoint, from the shapes of ``query``, ``key`` and ``mlp``.

    Args:
        sizes: as ``sizes_of`` gives them.
        layout: of the layers.
        head_dim: which no shape tells.
        more: what no shape tells either.
    """
    return BackboneConfig(
        dim=sizes["query"][1],
        layout=layout,
        query_heads=sizes["query"][0] // head_dim,
        kv_heads=sizes["key"][0] // head_dim,
        head_dim=head_dim,
        mlp_dim=sizes["mlp"][0],
        **more,
    )
