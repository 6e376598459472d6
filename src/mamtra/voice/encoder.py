"""A recording into what models know of a voice: speech tokens, mel features, the speaker's vector.

Two listeners with one face: our own small networks (nano), and the ONNX graphs that CosyVoice 2
publishes (``listening_onnx.py``). A model's config says which it has: sizes of our networks, or the
names of ONNX files.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from mamtra.acoustic.mel import LogMel, MelConfig
from mamtra.acoustic.speaker import SpeakerConfig, SpeakerEncoder
from mamtra.acoustic.speech_tokenizer import (
    FRAMES_PER_TOKEN,
    SpeechTokenizer,
    SpeechTokenizerConfig,
)
from mamtra.audio.clip import Audio
from mamtra.checkpoints.format import ModelFolder
from mamtra.checkpoints.modules import fill
from mamtra.errors import ModelError

SECTIONS = ("speech_tokenizer", "speaker")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Heard:
    """What was heard; two mel frames for each token.

    Attributes:
        tokens: speech tokens.
        mel: log-mel features in the form of the model's decoder.
        speaker: the speaker's vector.
    """

    tokens: Int[Tensor, " tokens"]
    mel: Float[Tensor, "bins frames"]
    speaker: Float[Tensor, " width"]


@runtime_checkable
class Listener(Protocol):
    """What turns a recording into a voice."""

    @property
    def mel(self) -> LogMel:
        """Mel features in the form of the model's decoder."""
        ...

    def tokens(self, audio: Audio) -> Int[Tensor, " tokens"]:
        """Speech tokens alone."""
        ...

    def hear(self, audio: Audio) -> Heard:
        """All that a voice is made of."""
        ...


def features(mel: LogMel, audio: Audio) -> Float[Tensor, "1 bins frames"]:
    """Mel features of a clip of any rate."""
    samples = torch.from_numpy(audio.at(mel.config.rate_hz).samples)
    return mel(rearrange(samples, "s -> 1 s"))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ListeningParts:
    """Our own networks, which hear mel features."""

    mel: LogMel
    speech_tokenizer: SpeechTokenizer
    speaker: SpeakerEncoder

    @torch.inference_mode()
    def tokens(self, audio: Audio) -> Int[Tensor, " tokens"]:
        """Speech tokens alone."""
        return self.speech_tokenizer.encode(features(self.mel, audio))[0]

    @torch.inference_mode()
    def hear(self, audio: Audio) -> Heard:
        """All that a voice is made of."""
        mel = features(self.mel, audio)
        tokens = self.speech_tokenizer.encode(mel)
        mel = mel[..., : FRAMES_PER_TOKEN * tokens.shape[1]]
        return Heard(tokens=tokens[0], mel=mel[0], speaker=self.speaker(mel)[0])


def onnx_files(folder: ModelFolder) -> list[Path] | None:
    """The ONNX files that a model's config names, None if it has our networks.

    Raises:
        ModelError: only one of the two listening parts is an ONNX file.
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


def fingerprint_of_listener(folder: ModelFolder) -> str:
    """A short name for exactly these ears: the sizes and weights of the listening parts.

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


def listening_parts(folder: ModelFolder) -> Listener:
    """Load what making a voice needs.

    Raises:
        ModelError: a part is missing or damaged.
        MissingExtraError: the model's listening parts are ONNX files, and onnxruntime is not there.
    """
    mel = LogMel(folder.section("mel", MelConfig))
    if (files := onnx_files(folder)) is not None:
        from mamtra.voice.onnx_encoder import OnnxListener

        return OnnxListener(mel, *files)
    tokenizer = SpeechTokenizer(folder.section("speech_tokenizer", SpeechTokenizerConfig))
    speaker = SpeakerEncoder(folder.section("speaker", SpeakerConfig))
    return ListeningParts(
        mel=mel,
        speech_tokenizer=fill(folder, tokenizer, "speech_tokenizer"),
        speaker=fill(folder, speaker, "speaker"),
    )
