"""The speech language model: its ids, the layouts it reads, and the model itself.

Ids and layouts are plain values, which speaking needs too; the model and its batches need torch and
are imported when they are first asked for.
"""

import importlib
from typing import TYPE_CHECKING, Any

from mamtra.speech_lm.prompt import (
    MixRatio,
    Segment,
    TrainingSequence,
    bi_stream,
    cross_lingual,
    instruct,
    training_sequence,
    uni_stream,
    zero_shot,
)
from mamtra.speech_lm.vocabulary import SpeechVocabulary

if TYPE_CHECKING:
    from mamtra.speech_lm.batch import Batch, pack, pack_segments
    from mamtra.speech_lm.model import Losses, SpeechLM, SpeechLMConfig

__all__ = [
    "Batch",
    "Losses",
    "MixRatio",
    "Segment",
    "SpeechLM",
    "SpeechLMConfig",
    "SpeechVocabulary",
    "TrainingSequence",
    "bi_stream",
    "cross_lingual",
    "instruct",
    "pack",
    "pack_segments",
    "training_sequence",
    "uni_stream",
    "zero_shot",
]

WITH_TORCH = {
    "Batch": "mamtra.speech_lm.batch",
    "pack": "mamtra.speech_lm.batch",
    "pack_segments": "mamtra.speech_lm.batch",
    "Losses": "mamtra.speech_lm.model",
    "SpeechLM": "mamtra.speech_lm.model",
    "SpeechLMConfig": "mamtra.speech_lm.model",
}


def __getattr__(name: str) -> Any:
    """Fetch a name that needs torch, on first use."""
    if name not in WITH_TORCH:
        raise AttributeError(f"module 'mamtra.speech_lm' has no attribute {name!r}")
    return getattr(importlib.import_module(WITH_TORCH[name]), name)
