"""From attention to Mamba: which projection becomes which, as a table and a pure function.

Without its softmax, attention is a linear recurrence: the key writes the value into a state and the
query reads it. A Mamba layer does the same with B, x and C, so its projections start from those of
the attention layer it replaces. Gate, step, decay and convolution have no counterpart and start
fresh. Everything outside the mixer (norms, MLPs, embeddings, head) is copied by name.

Axes: h heads, g copies of a head, w head width, d dim.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
from einops import repeat
from jaxtyping import Float
from torch import Tensor

from mamtra.backbone import BackboneConfig, MambaConfig
from mamtra.errors import CheckpointError, ConfigError

FROM_ATTENTION = {"q_proj": "C", "k_proj": "B", "v_proj": "x", "o_proj": "out_proj"}
INTO_MAMBA = {ours: theirs for theirs, ours in FROM_ATTENTION.items()}
MIXER = re.compile(r"^(?P<stack>.*?)layers\.(?P<layer>\d+)\.mixer\.(?P<tensor>.+)$")

Tensors = Mapping[str, Tensor]
How = Literal["copied", "projected", "fresh", "unused"]


@dataclass(frozen=True, slots=True)
class Transferred:
    """Where a tensor of the student came from, or that one of the teacher was not needed.

    Attributes:
        tensor: its name in the student (an unused one: in the teacher).
        sources: names of the teacher's tensors it was made from.
        parameters: numbers it holds.
        rows: which rows of it, where they do not share one fate.
    """

    tensor: str
    how: How
    sources: tuple[str, ...]
    parameters: int
    rows: str = ""

    @property
    def label(self) -> str:
        """The tensor's name, with its rows in brackets."""
        return f"{self.tensor}[{self.rows}]" if self.rows else self.tensor


@dataclass(frozen=True, slots=True)
class TransferReport:
    """What became of every tensor of student and teacher; none is missing."""

    entries: tuple[Transferred, ...]

    def named(self, how: How) -> list[str]:
        """Names of the tensors, or of their rows, with this fate."""
        return [entry.label for entry in self.entries if entry.how == how]

    def parameters(self, how: How) -> int:
        """Numbers in the tensors with this fate."""
        return sum(entry.parameters for entry in self.entries if entry.how == how)

    def table(self) -> str:
        """Text table, one line per kind of tensor, layers counted together."""
        lines: dict[tuple[str, str, str], list[int]] = {}
        for entry in self.entries:
            name, *sources = (
                re.sub(r"\blayers\.\d+\.", "layers.N.", name)
                for name in (entry.label, *entry.sources)
            )
            kind = (entry.how, name, ", ".join(sources) if sources != [name] else "")
            lines.setdefault(kind, []).append(entry.parameters)
        width = max(len(name) for _, name, _ in lines)
        rows = [f"{'fate':9}  {'tensor':{width}}  {'times':>5}  {'parameters':>11}  from"]
        order: tuple[How, ...] = ("copied", "projected", "fresh", "unused")
        for (how, name, sources), sizes in sorted(
            lines.items(), key=lambda line: order.index(line[0][0])
        ):
            rows.append(
                f"{how:9}  {name:{width}}  {len(sizes):5}  {sum(sizes):11,}  {sources}".rstrip()
            )
        totals = ", ".join(f"{how} {self.parameters(how):,}" for how in order)
        return "\n".join([*rows, f"parameters: {totals}"])


def spread_heads(
    rows: Float[Tensor, "rows *dim"], heads: int, wanted: int
) -> Float[Tensor, "spread *dim"]:
    """Repeat each key or value head until there are as many as the student has.

    Raises:
        ConfigError: the wanted number is not a multiple of the heads.
    """
    if wanted % heads:
        raise ConfigError(
            f"the student's {wanted} key/value heads are not a multiple of the teacher's {heads}; "
            f"choose {heads} or a multiple of it"
        )
    return repeat(rows, "(h w) ... -> (h g w) ...", h=heads, g=wanted // heads)


def check_sizes(backbone: BackboneConfig, mamba: MambaConfig) -> None:
    """Refuse Mamba sizes that the attention's projections cannot fill.

    Raises:
        ConfigError: heads, head width or state width differ from the attention layers'.
    """
    wanted = {
        "heads": backbone.query_heads,
        "head_dim": backbone.head_dim,
        "state_dim": backbone.head_dim,
    }
    for name, value in wanted.items():
        if getattr(mamba, name) != value:
            raise ConfigError(
                f"a start from attention needs {name}={value} in the Mamba layers, not "
                f"{getattr(mamba, name)}; set it to 0 to take the attention's"
            )


def mixer_from_attention(
    attention: Tensors, fresh: Tensors, backbone: BackboneConfig
) -> tuple[dict[str, Tensor], list[Transferred]]:
    """Start a Mamba mixer from an attention mixer; neither argument is changed.

    Args:
        attention: the teacher mixer's tensors by their names inside the mixer.
        fresh: a newly made Mamba mixer's tensors, named the same way.
        backbone: sizes of the attention, and in ``mamba_sizes`` those of the Mamba mixer.

    Returns:
        All tensors of the Mamba mixer, and where each came from; ``in_proj`` section by section.

    Raises:
        ConfigError: the Mamba sizes cannot be filled from this attention.
    """
    mamba = backbone.mamba_sizes
    check_sizes(backbone, mamba)
    tensors, entries = dict(fresh), []
    for name, tensor in fresh.items():
        whole, _, suffix = name.rpartition(".")
        if whole not in ("in_proj", "out_proj"):
            entries.append(Transferred(name, "fresh", (), tensor.numel()))
            continue
        sections = {"out_proj": tensor}
        if whole == "in_proj":
            parts = tensor.split([*mamba.sections.values()])
            sections = dict(zip(mamba.sections, parts, strict=True))
        for section in list(sections):
            source = f"{INTO_MAMBA.get(section)}.{suffix}"
            rows = section if whole == "in_proj" else ""
            if source in attention and (suffix == "weight" or mamba.input_bias):
                filled = attention[source]
                if section in ("x", "B"):
                    filled = spread_heads(filled, backbone.kv_heads, mamba.kv_heads)
                sections[section] = filled
                entry = Transferred(name, "projected", (source,), filled.numel(), rows)
            else:
                entry = Transferred(name, "fresh", (), sections[section].numel(), rows)
            if entry.parameters:
                entries.append(entry)
        tensors[name] = torch.cat([*sections.values()])
    return tensors, entries


def mixers_by_layer(tensors: Tensors) -> dict[str, dict[str, Tensor]]:
    """The tensors of each mixer under the mixer's own prefix, which ends with a dot."""
    found: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if match := MIXER.match(name):
            prefix = name.removesuffix(match["tensor"])
            found.setdefault(prefix, {})[match["tensor"]] = tensor
    return found


def transfer(
    teacher: Tensors, fresh: Tensors, backbone: BackboneConfig, mixers: bool = True
) -> tuple[dict[str, Tensor], TransferReport]:
    """Fill a student's tensors from its teacher's; neither argument is changed.

    Args:
        teacher: all tensors of the teacher, a stack or a model around one.
        fresh: all tensors of a newly made student.
        backbone: the student's sizes.
        mixers: start the Mamba mixers from the attention; otherwise they stay fresh.

    Returns:
        The student's tensors, and what became of each tensor.

    Raises:
        CheckpointError: a tensor with the same name has another shape in the teacher.
        ConfigError: the Mamba sizes cannot be filled from this attention.
    """
    tensors: dict[str, Tensor] = {}
    entries: list[Transferred] = []
    theirs = mixers_by_layer(teacher)
    for prefix, mixer in mixers_by_layer(fresh).items():
        if (
            not mixers
            or "in_proj.weight" not in mixer
            or "q_proj.weight" not in theirs.get(prefix, {})
        ):
            continue
        made, notes = mixer_from_attention(theirs[prefix], mixer, backbone)
        tensors.update({prefix + name: tensor for name, tensor in made.items()})
        for note in notes:
            sources = tuple(prefix + source for source in note.sources)
            entries.append(replace(note, tensor=prefix + note.tensor, sources=sources))
    for name, tensor in fresh.items():
        if name in tensors:
            continue
        if name not in teacher:
            tensors[name] = tensor
            entries.append(Transferred(name, "fresh", (), tensor.numel()))
            continue
        if teacher[name].shape != tensor.shape:
            raise CheckpointError(
                f"tensor {name} has shape {tuple(teacher[name].shape)} in the teacher and "
                f"{tuple(tensor.shape)} in the student; only the layout and the Mamba layers "
                f"may differ"
            )
        tensors[name] = teacher[name].clone()
        entries.append(Transferred(name, "copied", (name,), tensor.numel()))
    used = {source for entry in entries for source in entry.sources}
    entries += [
        Transferred(name, "unused", (), tensor.numel())
        for name, tensor in teacher.items()
        if name not in used
    ]
    return tensors, TransferReport(tuple(entries))
