"""Chatterbox's folder, as published, into a folder of ours: its language model, text vocabulary and
built-in voice; once, then never pickles.

The language model reads text ids and a voice and writes speech ids. Its decoder, CosyVoice 2's
under other names, is not taken over, so the folder does not speak: convert it, or draw ids from it.
"""

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mamtra.checkpoints.card import CARD, front_matter
from mamtra.checkpoints.format import ModelConfig, write_config
from mamtra.checkpoints.modules import save_part
from mamtra.checkpoints.new_folder import check_vacant, new_folder
from mamtra.checkpoints.precision import stored_dtype
from mamtra.checkpoints.weights import SHARD_BYTES, read_tensors, write_tensors
from mamtra.errors import CheckpointError, ModelError
from mamtra.interop.chatterbox_ids import BUILT_IN_VOICE
from mamtra.interop.chatterbox_lm import (
    CODES,
    GUARD,
    HEAD_DIM,
    SAMPLING,
    speech_lm_from_chatterbox,
)
from mamtra.interop.import_cosyvoice import Import, PartImport
from mamtra.interop.pickles import complaint, first_line

HUB = "ResembleAI/chatterbox"
WEIGHTS = ("t3_cfg.safetensors", "t3_mtl23ls_v2.safetensors", "t3_mtl23ls_v3.safetensors")
TOKENIZERS = ("tokenizer.json", "grapheme_mtl_merged_expanded_v1.json", "mtl_tokenizer.json")
CONDITIONS = "conds.pt"

ABOUT = """# Chatterbox's language model

The language model of Chatterbox ({file}, MIT) in the format of mamtra, made by `mamtra import
chatterbox`. It reads text ids (of its own `tokenizer.json`) and a voice, and writes speech ids; it
holds no decoder, so it does not speak: convert it, or draw ids from it (docs/convert.md).
"""


def find_weights(source: Path) -> Path:
    """The language model's file of a published folder, or the file itself.

    Raises:
        ModelError: there is none.
    """
    if source.is_file():
        return source
    if not source.is_dir():
        raise ModelError(f"there is no folder {str(source)!r}; give that of Chatterbox")
    found = [source / name for name in WEIGHTS if (source / name).is_file()]
    if not found:
        raise ModelError(
            f"no {' and no '.join(WEIGHTS)} in {str(source)!r}; run: mamtra fetch {HUB} -o {source}"
        )
    return found[0]


def read_voice(path: Path) -> dict[str, Tensor]:
    """The language model's half of conds.pt: speaker vector, speech tokens, emotion.

    Raises:
        CheckpointError: it cannot be read, or is something else.
    """
    if told := complaint(path):
        raise CheckpointError(f"cannot read the voice in {str(path)!r}: {told}")
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)["t3"]
        return {
            "speaker": held["speaker_emb"].float().flatten(),
            "prompt": held["cond_prompt_speech_tokens"].long().flatten(),
            "emotion": torch.as_tensor(held["emotion_adv"]).float().flatten()[:1],
        }
    except Exception as problem:  # a damaged pickle may fail in any way
        raise CheckpointError(
            f"cannot read the voice in {str(path)!r} ({first_line(problem)}); fetch it again, or "
            f"take it out of the folder"
        ) from problem


def import_chatterbox(
    source: Path,
    target: Path,
    dtype: torch.dtype | None = None,
    shard_bytes: int = SHARD_BYTES,
    codes: int = CODES,
    head_dim: int = HEAD_DIM,
) -> Import:
    """Write our folder, with a language model only; it appears under its name when it is complete.

    Args:
        source: the published folder, or the language model's file.
        target: the new folder.
        dtype: of the weights; as they are where it is None.
        shard_bytes: largest size of a file of weights.
        codes, head_dim: sizes that the file does not show; those of all published models.

    Raises:
        ModelError: the target is taken, or a file is missing.
        CheckpointError: the checkpoint is another; what does not fit is listed.
    """
    check_vacant(target)
    file = find_weights(source)
    tensors = read_tensors(file)
    model, unused = speech_lm_from_chatterbox(tensors, codes, head_dim)
    kept = dtype or stored_dtype(file)
    part = PartImport(
        part="speech_lm",
        file=file.name,
        used=len(tensors) - len(unused),
        unused=unused,
        fresh=("head.bias",),
        parameters=sum(weight.numel() for weight in model.parameters()),
        dtype=str(kept).removeprefix("torch."),
    )
    with new_folder(target) as folder:
        save_part(model, folder / "speech_lm.safetensors", kept, shard_bytes)
        copied = [name for name in TOKENIZERS if (file.parent / name).is_file()]
        for name in copied:
            shutil.copy2(file.parent / name, folder)
        if (file.parent / CONDITIONS).is_file():
            voice = read_voice(file.parent / CONDITIONS)
            write_tensors(voice, folder / BUILT_IN_VOICE)
            copied.append(f"{CONDITIONS} as {BUILT_IN_VOICE}")
        report = Import(parts=(part,), copied=tuple(copied), missing=())
        sampling: dict[str, Any] = SAMPLING | {"top_k": model.vocabulary.size}
        config = ModelConfig(
            name=target.resolve().name,
            speech_lm=asdict(model.config),
            sampling=sampling,
            guard=GUARD,
        )
        front = {
            "license": "mit",
            "language": ["en"],
            "base_model": HUB,
            "tags": ["text-to-speech", "mamtra", "chatterbox"],
        }
        about = ABOUT.format(file=file.name)
        (folder / CARD).write_text(f"{front_matter(front)}{about}\n```\n{report.table()}\n```\n")
        write_config(folder, config)
    return report
