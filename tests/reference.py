"""What the original CosyVoice 2 answers at toy size, and the weights it was given."""

import json
import math
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from mamtra.acoustic.decoder_config import NOISE_FRAMES

FOLDER = Path(__file__).parent / "data" / "reference"


def fixed_noise(bins: int, frames: int = NOISE_FRAMES) -> Tensor:
    """The noise in which the original starts every utterance; slice it, never draw it shorter."""
    return torch.randn(1, bins, frames, generator=torch.Generator().manual_seed(0))


def values_of(case: str) -> dict[str, Any]:
    """The plain values of a reference case."""
    return json.loads((FOLDER / f"{case}.json").read_text())


def tensors_of(case: str) -> dict[str, Tensor]:
    """The tensors of a reference case."""
    return load_file(FOLDER / f"{case}.safetensors")


def scale_of(name: str, shape: tuple[int, ...]) -> float:
    """How large the entries of a speech LM tensor are drawn."""
    embedding = "embed" in name and len(shape) == 2
    if name == "llm_decoder.weight":
        return 4.0 / math.sqrt(shape[1])
    if name.endswith("bias"):
        return 0.1
    return 1.0 if embedding else 1.0 / math.sqrt(math.prod(shape[1:]))


def synthetic(name: str, shape: tuple[int, ...]) -> Tensor:
    """The weights of the reference runs: a function of an llm.pt entry's name and shape alone."""
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    drawn = generator.standard_normal(size=shape, dtype=np.float32)
    if len(shape) == 1 and not name.endswith("bias"):
        return torch.from_numpy(1 + 0.1 * drawn)
    drawn *= scale_of(name, shape)
    if name == "llm_decoder.bias":
        drawn[shape[0] - 3] += 12.0
        drawn[shape[0] - 2 :] -= 30.0
    return torch.from_numpy(drawn)


def synthetic_weights(shapes: dict[str, Iterable[int]]) -> dict[str, Tensor]:
    """Synthetic tensors for every entry of a checkpoint."""
    return {name: synthetic(name, tuple(shape)) for name, shape in shapes.items()}


def toy_lm_shapes() -> dict[str, tuple[int, ...]]:
    """Entries of llm.pt at the reference's toy size."""
    dim, keys, mlp, text, ids = 64, 32, 128, 300, 203
    shapes: dict[str, tuple[int, ...]] = {
        "llm_embedding.weight": (2, dim),
        "speech_embedding.weight": (ids, dim),
        "llm_decoder.weight": (ids, dim),
        "llm_decoder.bias": (ids,),
        "llm.model.model.embed_tokens.weight": (text, dim),
        "llm.model.lm_head.weight": (text, dim),
        "llm.model.model.norm.weight": (dim,),
    }
    for layer in range(3):
        inside = {
            "input_layernorm.weight": (dim,),
            "post_attention_layernorm.weight": (dim,),
            "self_attn.q_proj.weight": (dim, dim),
            "self_attn.q_proj.bias": (dim,),
            "self_attn.k_proj.weight": (keys, dim),
            "self_attn.k_proj.bias": (keys,),
            "self_attn.v_proj.weight": (keys, dim),
            "self_attn.v_proj.bias": (keys,),
            "self_attn.o_proj.weight": (dim, dim),
            "mlp.gate_proj.weight": (mlp, dim),
            "mlp.up_proj.weight": (mlp, dim),
            "mlp.down_proj.weight": (dim, mlp),
        }
        shapes |= {f"llm.model.model.layers.{layer}.{name}": size for name, size in inside.items()}
    return shapes


TOY_HEAD_DIM = 16
