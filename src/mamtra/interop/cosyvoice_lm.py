"""CosyVoice's ``llm.pt``, versions 2 and 3: its tensor names and ours, and the model built from it.

The table is strict: every tensor of the checkpoint is used or listed as unused, every weight of the
model is filled. The text head (``lm_head``, 151,936 words, tied to the text embedding) is never run
and is dropped. ``N`` stands for the number of a layer.

Version 3 has one table less, since start and task are rows of the speech embedding, and a head
without bias. Ours gets a copy of these two rows and a bias of zeros, so that one model serves both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mamtra.checkpoints.check_state_dict import built_around
from mamtra.errors import CheckpointError
from mamtra.interop.names import TABLE, backbone_of, check_axes, layers_in, rename_all, sizes_of
from mamtra.interop.pickles import COUNTERS
from mamtra.interop.qwen2 import FROM_QWEN2
from mamtra.speech_lm import SpeechLM, SpeechLMConfig
from mamtra.speech_lm.vocabulary import EXTRA_IDS

FROM_COSYVOICE_LM = {
    "llm_embedding.weight": "special_embedding.weight",
    "speech_embedding.weight": "speech_embedding.weight",
    "llm.model.model.embed_tokens.weight": "text_embedding.weight",
    "llm_decoder.weight": "head.weight",
    "llm_decoder.bias": "head.bias",
} | {f"llm.model.{theirs}": f"backbone.{ours}" for theirs, ours in FROM_QWEN2.items()}

TEXT_HEAD = "llm.model.lm_head.weight"  # never run; the same memory as embed_tokens
UNUSED = (TEXT_HEAD, *COUNTERS)
LAYER_MARK = "llm.model.model.layers.N.input_layernorm.weight"
HEAD_DIM = 64  # Qwen2.5-0.5B; the one size that tensor shapes do not show
ADVICE = "give the llm.pt of version 2 or 3"

MARKS3, START3, TASK3 = 200, 0, 2  # llm.py of version 3: rows behind the codes
VERSION3 = {"marks": MARKS3, "end_mark": 1, "fill_mark": 3, "any_mark_ends": True}


def is_version3(tensors: Mapping[str, Any]) -> bool:
    """Whether start and task are rows of the speech embedding, as in CosyVoice 3."""
    return "speech_embedding.weight" in tensors and "llm_embedding.weight" not in tensors


def with_tables(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Version 3's entries with a table of start and task, and a head's bias of zeros.

    Raises:
        CheckpointError: the head has a bias, which version 3 has not, or there are too few rows.
    """
    if "llm_decoder.bias" in tensors:
        raise CheckpointError(
            "llm_decoder.bias does not go without llm_embedding.weight; "
            "give the llm.pt of version 2 or 3 as published"
        )
    speech = tensors["speech_embedding.weight"]
    check_axes(tensors, {"speech_embedding.weight": TABLE}, ADVICE)
    if len(speech) <= MARKS3:
        raise CheckpointError(
            f"speech_embedding.weight has {len(speech)} rows, and version 3 has {MARKS3} of them "
            f"behind the codes; {ADVICE}"
        )
    first = len(speech) - MARKS3
    return {
        **tensors,
        "llm_embedding.weight": speech[[first + START3, first + TASK3]],
        "llm_decoder.bias": torch.zeros(len(speech), dtype=speech.dtype),
    }


@dataclass(frozen=True, slots=True)
class Renamed:
    """A checkpoint's tensors under our names, and the entries that were left out on purpose."""

    tensors: dict[str, Tensor]
    unused: tuple[str, ...]


def from_cosyvoice_lm(tensors: Mapping[str, Any]) -> Renamed:
    """Rename the entries of llm.pt to those of a ``SpeechLM``.

    Raises:
        CheckpointError: an entry is not part of CosyVoice's speech LM; all such are listed.
    """
    if is_version3(tensors):
        tensors = with_tables(tensors)
    ours = rename_all(tensors, FROM_COSYVOICE_LM, "CosyVoice's speech LM", ADVICE, UNUSED)
    return Renamed(ours, tuple(name for name in tensors if name in UNUSED))


def config_from_cosyvoice_lm(
    tensors: Mapping[str, Any], head_dim: int = HEAD_DIM
) -> SpeechLMConfig:
    """Read the sizes from the shapes of llm.pt.

    Args:
        tensors: its entries.
        head_dim: width of an attention head, which no shape shows.

    Raises:
        CheckpointError: an entry that carries a size is missing.
    """
    layer = "llm.model.model.layers.0."
    carriers = {
        "text": "llm.model.model.embed_tokens.weight",
        "head": "llm_decoder.weight",
        "query": f"{layer}self_attn.q_proj.weight",
        "key": f"{layer}self_attn.k_proj.weight",
        "mlp": f"{layer}mlp.gate_proj.weight",
    }
    sizes = sizes_of(tensors, carriers, "CosyVoice's llm.pt", ADVICE)
    return SpeechLMConfig(
        backbone=backbone_of(sizes, "A" * layers_in(tensors, LAYER_MARK), head_dim),
        text_vocabulary=sizes["text"][0],
        speech_vocabulary=sizes["head"][0] - (MARKS3 if is_version3(tensors) else EXTRA_IDS),
        **(VERSION3 if is_version3(tensors) else {}),
    )


def speech_lm_from_cosyvoice(
    tensors: Mapping[str, Any], head_dim: int = HEAD_DIM
) -> tuple[SpeechLM, tuple[str, ...]]:
    """Build the model around a checkpoint's tensors, without copying them.

    Returns:
        The model, in the checkpoint's precision, and the names of the entries left out.

    Raises:
        CheckpointError: an entry is unknown, missing or of another shape; all such are listed.
    """
    result = from_cosyvoice_lm(tensors)
    config = config_from_cosyvoice_lm(tensors, head_dim)
    return built_around(lambda: SpeechLM(config), result.tensors), result.unused
