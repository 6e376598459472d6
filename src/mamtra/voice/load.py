"""Opens what makes voices of recordings: a model's own networks, or CosyVoice 2's ONNX graphs.

A model's config says which it has: sizes of networks, or the names of ONNX files.
"""

import hashlib
import json
from pathlib import Path

from mamtra.audio.log_mel import MelConfig
from mamtra.checkpoints.format import ModelFolder
from mamtra.errors import ModelError, listed
from mamtra.runtime.choose import open_voice_encoder as open_networks
from mamtra.runtime.protocols import VoiceEncoder
from mamtra.voice.onnx_encoder import OnnxVoiceEncoder

SECTIONS = ("speech_tokenizer", "speaker")


def onnx_files(folder: ModelFolder) -> list[Path] | None:
    """The ONNX files that a model's config names, None if it has our networks.

    Raises:
        ModelError: only one of speech tokenizer and speaker encoder is an ONNX file.
    """
    sections = [getattr(folder.holder(name).config, name) for name in SECTIONS]
    names = [section.get("onnx") for section in sections]
    if not any(names):
        return None
    if not all(names):
        raise ModelError(
            f"{' and '.join(SECTIONS)} of model {folder.config.name!r} must both be ONNX files, or "
            "neither"
        )
    return [folder.holder(s).folder / name for s, name in zip(SECTIONS, names, strict=True)]


def fingerprint_of_encoder(folder: ModelFolder) -> str:
    """A short name for exactly this voice encoder: its sizes and weights.

    Raises:
        ModelError: a part is missing.
    """
    total = hashlib.sha256()
    for section in ("mel", *SECTIONS):
        values = getattr(folder.holder(section).config, section)
        total.update(json.dumps(values, sort_keys=True).encode())
    files = onnx_files(folder)
    if files is None:
        files = [path for section in SECTIONS for path in folder.part_files(section)]
    for file in files:
        with file.open("rb") as content:
            total.update(hashlib.file_digest(content, "sha256").digest())
    return total.hexdigest()[:16]


def open_voice_encoder(folder: ModelFolder) -> VoiceEncoder:
    """Load what making a voice needs.

    Raises:
        ModelError: a part is missing or damaged.
        MissingExtraError: a package that it needs is not installed.
    """
    if missing := [name for name in SECTIONS if not folder.holds(name)]:
        own = listed(list(folder.voice_files())) or "none"
        raise ModelError(
            f"model {folder.config.name!r} has no {' and no '.join(missing)}, so it makes no "
            f"voices; speak with one of its own ({own})"
        )
    if (files := onnx_files(folder)) is not None:
        return OnnxVoiceEncoder(folder.section("mel", MelConfig), *files)
    return open_networks(folder)
