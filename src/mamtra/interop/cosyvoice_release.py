"""All in which the published folders of CosyVoice 2 and 3 differ, but for the tables of names."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mamtra.checkpoints.hub import COSYVOICE2, COSYVOICE3, SITE


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What one version publishes, and how it reads and sounds.

    Attributes:
        hub: its name on the hub.
        command: the import's.
        tokenizer_file: the graph that makes speech tokens.
        text, guard: sections of our config, but for what all versions share.
        fmax_hz: upper end of the mel features of a prompt.
    """

    version: int
    hub: str
    command: str
    tokenizer_file: str
    text: dict[str, Any]
    guard: dict[str, Any] | None
    fmax_hz: float

    @property
    def where(self) -> str:
        """Its address."""
        return f"{SITE}/{self.hub}"

    @property
    def listening(self) -> dict[str, str]:
        """Files that make voices."""
        return {"speech_tokenizer": self.tokenizer_file, "speaker": "campplus.onnx"}

    @property
    def front(self) -> dict[str, Any]:
        """Head of the model card."""
        return {
            "license": "apache-2.0",
            "language": ["zh", "en", "ja", "ko"],
            "base_model": self.hub,
            "tags": ["text-to-speech", "mamtra", self.command],
        }

    @property
    def about(self) -> str:
        """Beginning of the model card."""
        return f"""# CosyVoice {self.version}, 0.5 B

The weights of {self.hub.partition("/")[2]} ({self.where}, Apache-2.0) in the format of mamtra,
without the text head of its language model, made by `mamtra import {self.command}`. Its makers
publish no voices with it: make one from a recording.
"""


RELEASE2 = Release(
    version=2,
    hub=COSYVOICE2,
    command="cosyvoice2",
    tokenizer_file="speech_tokenizer_v2.onnx",
    text={"tokenizer": "qwen"},
    guard=None,
    fmax_hz=8000.0,
)
RELEASE3 = Release(
    version=3,
    hub=COSYVOICE3,
    command="cosyvoice3",
    tokenizer_file="speech_tokenizer_v3.onnx",
    text={"tokenizer": "cosyvoice3", "opening": "You are a helpful assistant."},
    # cli/model.py of version 3: its silent tokens, of which five in a row are sounded
    guard={
        "silent_ids": [1, 2, 28, 29, 55, 248, 494, 2241, 2242, 2322, 2323],
        "sounded_silence": 5,
    },
    fmax_hz=12_000.0,
)


def release_of(source: Path) -> Release:
    """The version that a published folder is, by a file that only one of them has."""
    names = (RELEASE3.tokenizer_file, "cosyvoice3.yaml")
    return RELEASE3 if any((source / name).is_file() for name in names) else RELEASE2
