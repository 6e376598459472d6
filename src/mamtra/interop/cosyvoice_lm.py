"""CosyVoice 2's ``llm.pt``: its tensor names and ours, and the model built from it.

The table is strict: every tensor of the checkpoint is used or listed as unused, every weight of the
model is filled. The text head (``lm_head``, 151,936 words, tied to the text embedding) is never run
and is dropped. ``N`` stands for the number of a layer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from mamtra.backbone import BackboneConfig
from mamtra.checkpoints.check_state_dict import built_around
from mamtra.errors import CheckpointError, listed
from mamtra.interop.pickles import COUNTERS
from mamtra.interop.qwen2 import FROM_QWEN2, renamed
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


@dataclass(frozen=True, slots=True)
class Renamed:
    """A checkpoint's tensors under our names, and the entries that were left out on purpose."""

    tensors: dict[str, Tensor]
    unused: tuple[str, ...]


def from_cosyvoice_lm(tensors: Mapping[str, Any]) -> Renamed:
    """Rename the entries of llm.pt to those of a ``SpeechLM``.

    Raises:
        CheckpointError: an entry is not part of CosyVoice 2's speech LM; all such are listed.
    """
    found = {name: renamed(name, FROM_COSYVOICE_LM) for name in tensors if name not in UNUSED}
    if unknown := sorted(name for name, ours in found.items() if ours is None):
        raise CheckpointError(
            f"{len(unknown)} entries are not part of CosyVoice 2's speech LM: "
            f"{listed(unknown)}; give the llm.pt of version 2"
        )
    return Renamed(
        {ours: tensors[name] for name, ours in found.items() if ours is not None},
        tuple(name for name in tensors if name in UNUSED),
    )


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
    if missing := [name for name in carriers.values() if name not in tensors]:
        raise CheckpointError(
            f"this is not CosyVoice 2's llm.pt: {', '.join(missing)} missing; "
            f"give the llm.pt of version 2"
        )
    sizes = {role: tensors[name].shape for role, name in carriers.items()}
    layers = 0
    while LAYER_MARK.replace("N", str(layers)) in tensors:
        layers += 1
    return SpeechLMConfig(
        backbone=BackboneConfig(
            dim=sizes["query"][1],
            layout="A" * layers,
            query_heads=sizes["query"][0] // head_dim,
            kv_heads=sizes["key"][0] // head_dim,
            head_dim=head_dim,
            mlp_dim=sizes["mlp"][0],
        ),
        text_vocabulary=sizes["text"][0],
        speech_vocabulary=sizes["head"][0] - EXTRA_IDS,
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
