"""What the original Chatterbox answers at toy size, and the weights it was given."""

import json
import math
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from chatterbox_shapes import REFERENCE, t3_shapes
from safetensors.torch import load_file, save_file
from torch import Tensor

from mamtra.interop.chatterbox_lm import speech_lm_from_chatterbox
from mamtra.speech_lm import SpeechLM
from mamtra.speech_lm.prompt import SpeakerPrompt

FOLDER = Path(__file__).parent / "data" / "chatterbox"
TABLES = (
    "text_emb.weight",
    "speech_emb.weight",
    "pos_emb.emb.weight",
    "embed_tokens.weight",
    "pre_attention_query",
)


def values_of(case: str) -> dict[str, Any]:
    """The plain values of a reference case."""
    return json.loads((FOLDER / f"{case}.json").read_text(encoding="utf-8"))


@cache
def tensors_of(case: str) -> dict[str, Tensor]:
    """The tensors of a reference case."""
    return load_file(FOLDER / f"{case}.safetensors")


def synthetic(name: str, shape: tuple[int, ...]) -> Tensor:
    """The weights of the reference runs: a function of an entry's name and shape alone."""
    x = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape, np.float32)
    stop = REFERENCE.codes + 1
    if name == "speech_head.weight":
        x *= 4 / math.sqrt(shape[1])
        end = x[stop] * 1.8
        x[stop - 1 :] *= 0.02
        x[stop] = end
    elif name.endswith(TABLES):
        x *= 0.3 if "pos_emb" in name else 1.0
    elif name.endswith("bias"):
        x *= 0.1
    elif len(shape) == 1:
        x = 1 + 0.1 * x
    else:
        x /= math.sqrt(math.prod(shape[1:]))
    return torch.from_numpy(x.astype(np.float32))


@cache
def weights() -> dict[str, Tensor]:
    """The toy's entries."""
    return {name: synthetic(name, shape) for name, shape in t3_shapes(REFERENCE).items()}


@cache
def speech_lm() -> SpeechLM:
    """The toy language model, through the real converter."""
    sizes = REFERENCE
    return speech_lm_from_chatterbox(weights(), sizes.codes, sizes.head_dim)[0].eval()


def voice_of(case: str, emotion: float = 0.5) -> SpeakerPrompt:
    """The voice of a case."""
    held = tensors_of(case)
    return SpeakerPrompt(
        speaker=tuple(held["speaker"].flatten().tolist()),
        prompt=tuple(held["prompt"].flatten().tolist()),
        emotion=emotion,
    )


def write_folder(folder: Path) -> Path:
    """Write the folder that Chatterbox publishes, at toy size, with a built-in voice."""
    folder.mkdir()
    save_file(weights(), folder / "t3_cfg.safetensors")
    (folder / "tokenizer.json").write_text("{}")
    held = tensors_of("t3_inference")
    conditions = {
        "speaker_emb": held["speaker"],
        "clap_emb": None,
        "cond_prompt_speech_tokens": held["prompt"],
        "emotion_adv": torch.full((1, 1, 1), 0.5),
    }
    torch.save({"t3": conditions, "gen": {}}, folder / "conds.pt")
    return folder
