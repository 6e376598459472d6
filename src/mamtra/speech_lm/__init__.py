"""The speech language model: its ids, the layouts it reads, and the model itself."""

from mamtra.speech_lm.batch import Batch, pack, pack_segments
from mamtra.speech_lm.model import Losses, SpeechLM, SpeechLMConfig
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
