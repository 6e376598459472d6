"""mamtra: hybrid Mamba-Transformer speech synthesis.

The public surface. Importing this file loads nothing heavy: each name is fetched when it is first
used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mamtra.errors import MamtraError
    from mamtra.synthesis.speech import Speech
    from mamtra.synthesis.synthesizer import Synthesizer, load
    from mamtra.voice.voice import Voice

__version__ = "0.1.0"

HOMES = {
    "load": "mamtra.synthesis.synthesizer",
    "Synthesizer": "mamtra.synthesis.synthesizer",
    "Speech": "mamtra.synthesis.speech",
    "Voice": "mamtra.voice.voice",
    "MamtraError": "mamtra.errors",
}

__all__ = ["MamtraError", "Speech", "Synthesizer", "Voice", "__version__", "load"]


def __getattr__(name: str) -> Any:
    """Fetch a public name from the file that defines it, on first use."""
    if name not in HOMES:
        raise AttributeError(f"module 'mamtra' has no attribute {name!r}")
    return getattr(importlib.import_module(HOMES[name]), name)


def __dir__() -> list[str]:
    """The public names, for completion."""
    return sorted(__all__)
