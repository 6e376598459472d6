"""From attention to a recurrent mixer: a pure function over tables, with a report of every tensor.

The projections of a recurrent mixer start from those of the attention it replaces, as the table in
forms.py says. Gates, steps, decays and convolutions have no counterpart and start fresh. Everything
outside the mixer (norms, MLPs, embeddings, head) is copied by name.

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

from mamtra.backbone import BackboneConfig
from mamtra.backbone.config import ATTENTION, KINDS
from mamtra.backbone.mixers.variant import Variant
from mamtra.errors import CheckpointError, ConfigError
from mamtra.transfer.forms import FROM_ATTENTION

SHARED = ("k_proj", "v_proj")  # projections of attention's key/value heads
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
    rows: Float[Tensor, "rows *dim"], heads: int, expected: int
) -> Float[Tensor, "spread *dim"]:
    """Repeat each key or value head until there are as many as the student has.

    Raises:
        ConfigError: the expected number is not a multiple of the heads.
    """
    if expected % heads:
        raise ConfigError(
            f"the student's {expected} key/value heads are not a multiple of the teacher's {heads};"
            f" choose {heads} or a multiple of it"
        )
    return repeat(rows, "(h w) ... -> (h g w) ...", h=heads, g=expected // heads)


def check_sizes(backbone: BackboneConfig, name: str, sizes: Variant) -> None:
    """Refuse sizes that the attention's projections cannot fill.

    Raises:
        ConfigError: heads, head width or state width differ from the attention layers'.
    """
    expected = {
        "heads": backbone.query_heads,
        "head_dim": backbone.head_dim,
        "state_dim": backbone.head_dim,
    }
    for size, value in expected.items():
        if getattr(sizes, size) != value:
            raise ConfigError(
                f"a start from attention needs {size}={value} in the {name} layers, not "
                f"{getattr(sizes, size)}; set it to 0 to take the attention's"
            )


def recurrent_sizes(backbone: BackboneConfig, kind: str) -> Variant:
    """The config of a kind of recurrent mixer, with every size written out.

    Raises:
        ConfigError: attention cannot become this kind.
    """
    if kind not in FROM_ATTENTION:
        possible = ", ".join(f"{letter} ({KINDS[letter].name})" for letter in FROM_ATTENTION)
        raise ConfigError(
            f"attention cannot become {kind} ({KINDS[kind].name}); possible are {possible}"
        )
    return KINDS[kind].variant(backbone)


def mixer_from_attention(
    attention: Tensors, fresh: Tensors, backbone: BackboneConfig, kind: str
) -> tuple[dict[str, Tensor], list[Transferred]]:
    """Start a recurrent mixer from an attention mixer; neither argument is changed.

    Args:
        attention: the teacher mixer's tensors by their names inside the mixer.
        fresh: a newly made mixer's tensors, named the same way.
        backbone: sizes of the attention and of the new mixer.
        kind: letter of the new mixer.

    Returns:
        All tensors of the new mixer, and where each came from; ``in_proj`` section by section.

    Raises:
        ConfigError: the new mixer's sizes cannot be filled from this attention.
    """
    sizes, sources = recurrent_sizes(backbone, kind), FROM_ATTENTION[kind]
    check_sizes(backbone, KINDS[kind].name, sizes)
    tensors, entries = dict(fresh), list[Transferred]()
    for name, tensor in fresh.items():
        whole, _, suffix = name.rpartition(".")
        if whole not in ("in_proj", "out_proj"):
            entries.append(Transferred(name, "fresh", (), tensor.numel()))
            continue
        sections = {"out_proj": tensor}
        if whole == "in_proj":
            parts = tensor.split([*sizes.sections.values()])
            sections = dict(zip(sizes.sections, parts, strict=True))
        for section in list(sections):
            source = f"{sources.get(section)}.{suffix}"
            rows = section if whole == "in_proj" else ""
            if source in attention and (suffix == "weight" or sizes.input_bias):
                filled = attention[source]
                if sources[section] in SHARED:
                    filled = spread_heads(filled, backbone.kv_heads, sizes.kv_heads)
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
    result: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if match := MIXER.match(name):
            prefix = name.removesuffix(match["tensor"])
            result.setdefault(prefix, {})[match["tensor"]] = tensor
    return result


def layer_of(prefix: str) -> int:
    """The layer in a mixer's prefix."""
    return int(prefix.split(".")[-3])


def transfer(
    teacher: Tensors, fresh: Tensors, backbone: BackboneConfig, mixers: bool = True
) -> tuple[dict[str, Tensor], TransferReport]:
    """Fill a student's tensors from its teacher's; neither argument is changed.

    Args:
        teacher: all tensors of the teacher, a stack or a model around one.
        fresh: all tensors of a newly made student.
        backbone: the student's sizes.
        mixers: start new mixers from the attention; otherwise they stay fresh.

    Returns:
        The student's tensors, and what became of each tensor.

    Raises:
        CheckpointError: a tensor with the same name has another shape in the teacher.
        ConfigError: the sizes of new mixers cannot be filled from this attention.
    """
    tensors: dict[str, Tensor] = {}
    entries: list[Transferred] = []
    theirs = mixers_by_layer(teacher)
    for prefix, mixer in mixers_by_layer(fresh).items():
        kind = backbone.layout[layer_of(prefix)]
        if not mixers or kind == ATTENTION or "q_proj.weight" not in theirs.get(prefix, {}):
            continue
        made, notes = mixer_from_attention(theirs[prefix], mixer, backbone, kind)
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
                f"{tuple(tensor.shape)} in the student; only the layout and the new mixers "
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
