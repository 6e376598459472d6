"""Opens a model folder for speaking with onnxruntime."""

from pathlib import Path

from mamtra.audio.log_mel import MelConfig
from mamtra.checkpoints.format import ModelFolder
from mamtra.runtime.onnx.decoder import OnnxDecoder
from mamtra.runtime.onnx.speech_model import OnnxSpeechModel
from mamtra.runtime.onnx.vocoder import OnnxVocoder
from mamtra.runtime.onnx.voice_encoder import GraphVoiceEncoder
from mamtra.runtime.protocols import LoadedModel
from mamtra.runtime.reading import reading_of


def graph_of(folder: ModelFolder, part: str, bits: int = 32) -> Path:
    """Where the graph of a part lies, whether it is there or not: beside the part's weights.

    Args:
        folder: the model's folder.
        part: as in ``config.json``.
        bits: of the speech language model's matrices.
    """
    name = part if bits == 32 else f"{part}.{bits}bit"
    return folder.holder(part).folder / f"{name}.onnx"


def open_model(
    folder: ModelFolder,
    threads: int = 1,
    bits: int = 32,
    cores: int = 1,
    flow_steps: int = 0,
    flow_dtype: str = "float32",
) -> LoadedModel:
    """Load what speaks.

    Args:
        folder: the model's folder.
        threads: that compute.
        bits: of the speech language model's matrices.
        cores: that there are; decoder and vocoder may be used by as many threads as those allow.
        flow_steps: Euler steps of the decoder's flow; 0 for the model's own.
        flow_dtype: what its network computes in: ``float32`` or ``bfloat16``.

    Raises:
        ModelError: a graph is missing or damaged, or does not belong to its weights.
    """
    return LoadedModel(
        speech_model=OnnxSpeechModel(
            graph_of(folder, "speech_lm", bits), threads, reading_of(folder)
        ),
        decoder=OnnxDecoder(graph_of(folder, "decoder"), threads, flow_steps, flow_dtype),
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
