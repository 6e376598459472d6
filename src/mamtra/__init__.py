"""mamtra: hybrid Mamba-Transformer speech synthesis.

The public surface. Importing this file loads nothing heavy: each name is fetched when it is first
used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mamtra.errors import MamtraError
    from mamtra.synthesis.load import load
    from mamtra.synthesis.options import SpeakOptions
    from mamtra.synthesis.speech import ComputeSeconds, Speech, Spoken, join
    from mamtra.synthesis.stream import AudioPiece
    from mamtra.synthesis.synthesizer import Synthesizer
    from mamtra.voice.voice import Voice

__version__ = "0.1.0"

HOMES = {
    "AudioPiece": "mamtra.synthesis.stream",
    "ComputeSeconds": "mamtra.synthesis.speech",
    "MamtraError": "mamtra.errors",
    "SpeakOptions": "mamtra.synthesis.options",
    "Speech": "mamtra.synthesis.speech",
    "Spoken": "mamtra.synthesis.speech",
    "Synthesizer": "mamtra.synthesis.synthesizer",
    "Voice": "mamtra.voice.voice",
    "join": "mamtra.synthesis.speech",
    "load": "mamtra.synthesis.load",
}

__all__ = [
    "AudioPiece",
    "ComputeSeconds",
    "MamtraError",
    "SpeakOptions",
    "Speech",
    "Spoken",
    "Synthesizer",
    "Voice",
    "__version__",
    "join",
    "load",
]


def __getattr__(name: str) -> Any:
    """Fetch a public name from the file that defines it, on first use."""
    if name not in HOMES:
        raise AttributeError(f"module 'mamtra' has no attribute {name!r}")
    return getattr(importlib.import_module(HOMES[name]), name)


def __dir__() -> list[str]:
    """The public names, for completion."""
    return sorted(__all__)
