"""Chatterbox's ``conds.pt``: the voice that comes with the model, for its two halves."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange

from mamtra.acoustic.config import FRAMES_PER_TOKEN
from mamtra.errors import CheckpointError
from mamtra.interop.pickles import complaint, first_line
from mamtra.speech_lm.prompt import SpeakerPrompt
from mamtra.voice.voice import Voice

CONDITIONS = "conds.pt"
VOICE = "built-in"  # its name


def read_conditions(path: Path) -> dict[str, Any]:
    """What conds.pt holds: ``t3`` for the language model, ``gen`` for the decoder.

    Raises:
        CheckpointError: it cannot be read, or is something else.
    """
    if told := complaint(path):
        raise CheckpointError(f"cannot read the voice in {str(path)!r}: {told}")
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
        read = held["t3"]
        return {
            "t3": {
                "speaker": read["speaker_emb"].float().flatten(),
                "prompt": read["cond_prompt_speech_tokens"].long().flatten(),
                "emotion": torch.as_tensor(read["emotion_adv"]).float().flatten()[0].reshape(1),
            },
            "gen": held["gen"],
        }
    except Exception as problem:  # a damaged pickle may fail in any way
        raise damaged(path, problem) from problem


def damaged(path: Path, problem: Exception) -> CheckpointError:
    """The error of a conds.pt that is something else."""
    return CheckpointError(
        f"cannot read the voice in {str(path)!r} ({first_line(problem)}); fetch it again, or "
        f"take it out of the folder"
    )


def prompt_of(conditions: Mapping[str, Any]) -> SpeakerPrompt:
    """The language model's half, from ``read_conditions``."""
    read = {name: tensor.tolist() for name, tensor in conditions["t3"].items()}
    return SpeakerPrompt(
        speaker=tuple(read["speaker"]), prompt=tuple(read["prompt"]), emotion=read["emotion"][0]
    )


def voice_of(conditions: Mapping[str, Any], path: Path, codes: int, rate_hz: int) -> Voice:
    """The voice that came with the model, for language model and decoder.

    Args:
        conditions: from ``read_conditions``.
        path: of the file, for messages.
        codes: speech tokens that the model knows.
        rate_hz: of its sound.

    Raises:
        CheckpointError: the decoder's half is something else.
        VoiceError: its numbers are no voice's.
    """
    try:
        given = conditions["gen"]
        mel = rearrange(given["prompt_feat"].float(), "1 frames bins -> bins frames").numpy()
        tokens = given["prompt_token"].long().flatten().numpy()
        speaker = given["embedding"].float().flatten().numpy()
    except Exception as problem:
        raise damaged(path, problem) from problem
    count = min(len(tokens), mel.shape[1] // FRAMES_PER_TOKEN)  # s3gen.py cuts likewise
    return Voice(
        name=VOICE,
        speaker=speaker,
        tokens=tokens[:count],
        mel=np.ascontiguousarray(mel[:, : FRAMES_PER_TOKEN * count]),
        source=f"{CONDITIONS} of Chatterbox",
        licence="mit",
        codes=codes,
        rate_hz=rate_hz,
        read=prompt_of(conditions),
    )
