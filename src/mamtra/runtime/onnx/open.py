"""Opens a model folder for speaking with onnxruntime."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mamtra.audio.log_mel import MelConfig
from mamtra.checkpoints.format import ModelFolder
from mamtra.runtime.onnx.decoder import OnnxDecoder
from mamtra.runtime.onnx.guided import GuidedOnnxModel
from mamtra.runtime.onnx.speech_model import OnnxSpeechModel
from mamtra.runtime.onnx.vocoder import OnnxVocoder
from mamtra.runtime.onnx.voice_encoder import GraphVoiceEncoder
from mamtra.runtime.protocols import LoadedModel, SpeechModel
from mamtra.runtime.reading import reading_of


def graph_name(part: str, bits: int = 32) -> str:
    """The name of a part's graph.

    Args:
        part: as in ``config.json``.
        bits: of the speech language model's matrices.
    """
    return f"{part}.onnx" if bits == 32 else f"{part}.{bits}bit.onnx"


def graph_of(folder: ModelFolder, part: str, bits: int = 32) -> Path:
    """Where the graph of a part lies, whether it is there or not: beside the part's weights.

    Args:
        folder: the model's folder.
        part: as in ``config.json``.
        bits: of the speech language model's matrices.
    """
    return folder.holder(part).folder / graph_name(part, bits)


def reads_voices(folder: ModelFolder) -> bool:
    """Whether the language model reads a voice before a text."""
    return bool((folder.holder("speech_lm").config.speech_lm or {}).get("conditioning"))


def open_speech_model(
    folder: ModelFolder, threads: int, bits: int, streams: int
) -> OnnxSpeechModel | GuidedOnnxModel:
    """Load the speech language model; one that reads voices is guided.

    Raises:
        ModelError: a graph is missing or damaged, or does not belong to its weights.
    """
    graph = graph_of(folder, "speech_lm", bits)
    if reads_voices(folder):
        return GuidedOnnxModel(graph, threads, streams)
    return OnnxSpeechModel(graph, threads, reading_of(folder), streams)


def open_model(
    folder: ModelFolder,
    threads: int = 1,
    bits: int = 32,
    cores: int = 1,
    flow: Mapping[str, Any] | None = None,
    speech_model: SpeechModel | None = None,
    streams: int = 1,
) -> LoadedModel:
    """Load what speaks.

    Args:
        folder: the model's folder.
        threads: that compute.
        bits: of the speech language model's matrices.
        cores: that there are; decoder and vocoder may be used by as many threads as those allow.
        flow: how ``OnnxDecoder`` runs its flow, if it has one.
        speech_model: in place of the speech language model's graph.
        streams: texts that will be spoken at once.

    Raises:
        ModelError: a graph is missing or damaged, or does not belong to its weights.
    """
    if speech_model is None:
        speech_model = open_speech_model(folder, threads, bits, streams)
    return LoadedModel(
        speech_model=speech_model,
        decoder=OnnxDecoder(graph_of(folder, "decoder"), threads, **flow or {}),
        vocoder=OnnxVocoder(graph_of(folder, "vocoder"), threads),
        acoustic_threads=max(1, cores // threads),
    )


def open_voice_encoder(folder: ModelFolder, threads: int = 1) -> GraphVoiceEncoder:
    """Load what makes voices.

    Raises:
        ModelError: a graph is missing or damaged, or does not belong to its weights.
    """
    mel = folder.section("mel", MelConfig)
    tokenizer, speaker = (graph_of(folder, part) for part in ("speech_tokenizer", "speaker"))
    return GraphVoiceEncoder(mel, tokenizer, speaker, threads)
