"""The official MamTra 1:1 checkpoint: its tensor names and ours, and the model built from it.

The published layer replaces ``self_attn`` by ``mamba`` (Mamba-2 in the parity form, which is our
default) and leaves the rest of CosyVoice 2's speech LM in place. Its module tree reaches the same
layers by more than one path, so a state dict holds them under several names: entries that end the
same must be the same tensor, and are read once. The table is strict otherwise: every entry is used
or listed as unused, every weight is filled. ``N`` stands for the number of a layer.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mamtra.backbone import MambaConfig
from mamtra.checkpoints.check_state_dict import built_around
from mamtra.checkpoints.weights import read_tensors
from mamtra.errors import CheckpointError, listed
from mamtra.interop.names import backbone_of, is_buffer, renamed, sizes_of
from mamtra.interop.pickles import COUNTERS, read_entries
from mamtra.interop.qwen2 import FROM_QWEN2
from mamtra.speech_lm import SpeechLM, SpeechLMConfig
from mamtra.speech_lm.vocabulary import EXTRA_IDS

MAMBA = (
    "in_proj.weight",
    "conv1d.weight",
    "conv1d.bias",
    "dt_bias",
    "A_log",
    "D",
    "norm.weight",
    "out_proj.weight",
)
# the ends of their names; what stands before is the path through their modules
FROM_OFFICIAL = (
    {f"layers.N.mamba.{name}": f"backbone.layers.N.mixer.{name}" for name in MAMBA}
    | {
        theirs.removeprefix("model."): f"backbone.{ours}"
        for theirs, ours in FROM_QWEN2.items()
        if ".layers." in theirs
    }
    | {
        "model.norm.weight": "backbone.norm.weight",
        "embed_tokens.weight": "text_embedding.weight",
        "speech_embedding.weight": "speech_embedding.weight",
        "llm_embedding.weight": "special_embedding.weight",
        "llm_decoder.weight": "head.weight",
        "llm_decoder.bias": "head.bias",
    }
)
UNUSED = ("lm_head.weight", *COUNTERS)  # the text head is never run
STALE = (
    "llm.model.model.layers."  # a path that the official loader does not read: it may lag behind
)
ATTENTION = re.compile(r"\.mixer\.[qkvo]_proj\.")
HEAD_DIM = 64  # Qwen2.5-0.5B; the one size that tensor shapes do not show
ENDS = re.compile(
    r"(?:^|\.)(layers\.\d+\..+|model\.norm\.weight|(?:embed_tokens|speech_embedding|llm_embedding"
    r"|lm_head)\.weight|llm_decoder\.(?:weight|bias)|epoch|step)$"
)


@dataclass(frozen=True, slots=True)
class Official:
    """A checkpoint's tensors under our names, and what was left out.

    Attributes:
        aliases: entries that are another entry once more.
        unused: entries that the model does not need, stale ones and buffers included.
    """

    tensors: dict[str, Tensor]
    aliases: tuple[str, ...]
    unused: tuple[str, ...]


def same(a: Any, b: Any) -> bool:
    """Whether two entries hold the same numbers."""
    if a is b or a.data_ptr() == b.data_ptr():
        return a.shape == b.shape
    return a.shape == b.shape and torch.equal(a, b)


def without_stale(entries: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Leave out the attention that a replaced layer still has under the stale path.

    Args:
        entries: our name of each entry.

    Returns:
        The entries that count, and the names of those that do not.
    """
    ends = ".mixer.in_proj.weight"
    replaced = {ours.removesuffix(ends) for ours in entries.values() if ours.endswith(ends)}
    stale = [
        name
        for name, ours in entries.items()
        if STALE in name and ATTENTION.search(ours) and ours.partition(".mixer.")[0] in replaced
    ]
    return {name: ours for name, ours in entries.items() if name not in stale}, stale


def from_official(tensors: Mapping[str, Any]) -> Official:
    """Rename the entries of a checkpoint to those of a ``SpeechLM``.

    Raises:
        CheckpointError: an entry is unknown, or two that should be aliases differ; all are listed.
    """
    found: dict[str, str] = {}
    unused, unknown = [], []
    for name in tensors:
        end = ENDS.search(name)
        ours = renamed(end[1], FROM_OFFICIAL) if end is not None else None
        if is_buffer(name) or (end is not None and end[1] in UNUSED):
            unused.append(name)
        elif ours is None:
            unknown.append(name)
        else:
            found[name] = ours
    if unknown:
        raise CheckpointError(
            f"{len(unknown)} entries are not part of MamTra's speech LM: {listed(sorted(unknown))}"
        )
    found, stale = without_stale(found)
    first: dict[str, str] = {}
    aliases, torn = [], []
    # of two that differ the one under the stale path does not count, so the others come first
    for name in sorted(found, key=lambda name: STALE in name):
        ours = found[name]
        if ours not in first:
            first[ours] = name
        elif same(tensors[first[ours]], tensors[name]):
            aliases.append(name)
        elif STALE in name:
            stale.append(name)
        else:
            torn.append(f"{name} and {first[ours]}")
    if torn:
        raise CheckpointError(f"entries for the same weight differ: {listed(torn)}")
    return Official(
        {ours: tensors[name] for ours, name in first.items()},
        tuple(aliases),
        (*unused, *stale),
    )


def config_from_official(tensors: Mapping[str, Tensor], head_dim: int = HEAD_DIM) -> SpeechLMConfig:
    """Read layout and sizes from renamed tensors.

    Args:
        tensors: under our names.
        head_dim: width of a head, of attention and Mamba, which no shape shows.

    Raises:
        CheckpointError: a tensor that carries a size is missing.
    """
    layout = ""
    while f"backbone.layers.{len(layout)}.input_layernorm.weight" in tensors:
        prefix = f"backbone.layers.{len(layout)}.mixer."
        layout += "M" if f"{prefix}in_proj.weight" in tensors else "A"
    if not {"A", "M"} <= set(layout):
        raise CheckpointError(
            f"its layers are {layout or 'none'} (A is attention, M is Mamba), which is no hybrid; "
            f"give the checkpoint of MamTra, not that of CosyVoice 2"
        )
    attention = f"backbone.layers.{layout.index('A')}."
    mamba = f"backbone.layers.{layout.index('M')}.mixer."
    carriers = {
        "query": f"{attention}mixer.q_proj.weight",
        "key": f"{attention}mixer.k_proj.weight",
        "mlp": f"{attention}mlp.gate_proj.weight",
        "conv": f"{mamba}conv1d.weight",
        "text": "text_embedding.weight",
        "head": "head.weight",
    }
    sizes = sizes_of(tensors, carriers, "MamTra's checkpoint", "give it as published")
    return SpeechLMConfig(
        backbone=backbone_of(
            sizes, layout, head_dim, mamba=MambaConfig(conv_width=sizes["conv"][2])
        ),
        text_vocabulary=sizes["text"][0],
        speech_vocabulary=sizes["head"][0] - EXTRA_IDS,
    )


def speech_lm_from_official(
    tensors: Mapping[str, Any], head_dim: int = HEAD_DIM
) -> tuple[SpeechLM, Official]:
    """Build the model around a checkpoint's tensors, without copying them.

    Returns:
        The model, in the checkpoint's precision, and what was read and left out.

    Raises:
        CheckpointError: an entry is unknown, missing or of another shape; all such are listed.
    """
    found = from_official(tensors)
    config = config_from_official(found.tensors, head_dim)
    return built_around(lambda: SpeechLM(config), found.tensors), found


def load_official(path: Path, head_dim: int = HEAD_DIM) -> tuple[SpeechLM, Official]:
    """Read a checkpoint, safetensors or pickle; only tensors are unpickled.

    Raises:
        CheckpointError: the file cannot be read, or is not MamTra's speech LM.
    """
    if path.suffix == ".safetensors":
        return speech_lm_from_official(read_tensors(path), head_dim)
    return speech_lm_from_official(read_entries(path), head_dim)
