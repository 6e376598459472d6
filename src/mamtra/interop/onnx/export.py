"""A model folder as ONNX graphs: one file per part, beside the weights that it uses.

    speech_lm.onnx          the speech language model
    speech_lm.short.onnx    the same for one stream of few ids, where that is faster
    speech_lm.voice.onnx    what a language model that reads voices is given of one
    decoder.onnx            speech tokens to mel features (or what a flow starts from)
    velocity.onnx           one step of the flow, for a decoder that has one
    encoder_stream.onnx, velocity_stream.onnx    both for the next chunk of a stream
    velocity_chunks.onnx    a step of the flow for several chunks at once
    vocoder.onnx            mel features to samples
    speech_tokenizer.onnx, speaker.onnx    what makes voices

A graph holds no weights: it points into the safetensors files of its folder. With 8 or 4 bits the
matrices of the speech language model are rounded and stored anew (``speech_lm.8bit.safetensors``)
for graphs of their own (``speech_lm.8bit.onnx``).
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import onnx
import torch
from safetensors.numpy import save
from torch import nn

from mamtra.acoustic.decoder import Decoder, DecoderConfig
from mamtra.acoustic.speaker import SpeakerConfig, SpeakerEncoder
from mamtra.acoustic.speech_tokenizer import SpeechTokenizer, SpeechTokenizerConfig
from mamtra.acoustic.vocoder import Vocoder, VocoderConfig
from mamtra.atomic import write_file
from mamtra.backbone import BackboneConfig
from mamtra.checkpoints.checksums import renew_checksums
from mamtra.checkpoints.derive import copy_beside, copy_cards
from mamtra.checkpoints.format import PARTS, VOICES, ModelFolder
from mamtra.checkpoints.locate import CONFIG
from mamtra.checkpoints.modules import check_part
from mamtra.checkpoints.new_folder import new_folder
from mamtra.checkpoints.shards import opened
from mamtra.errors import ConfigError, ModelError
from mamtra.interop.onnx.attention import in_one_node
from mamtra.interop.onnx.conditioning import conditioning_graph
from mamtra.interop.onnx.graph import StoredTensor, stored_tensors
from mamtra.interop.onnx.layers import Form
from mamtra.interop.onnx.products import Bits, Matrix, rounded
from mamtra.interop.onnx.sizes import (
    notes_for,
    sizes_of_decoder,
    sizes_of_speech_lm,
    sizes_of_vocoder,
)
from mamtra.interop.onnx.speech_lm import SpeechLMExport, matrices_of, speech_lm_graph
from mamtra.interop.onnx.token_encoder import decoder_graph
from mamtra.interop.onnx.velocity import velocity_graph
from mamtra.interop.onnx.vocoder import vocoder_graph
from mamtra.interop.onnx.voice_encoder import speaker_graph, tokenizer_graph
from mamtra.runtime.onnx.flow import CHUNK_GRAPH, CHUNKS_GRAPH
from mamtra.runtime.onnx.guided import VOICE_GRAPH
from mamtra.runtime.onnx.open import graph_name
from mamtra.runtime.onnx.session import ROUNDED, sampled
from mamtra.runtime.onnx.speech_model import short_form
from mamtra.runtime.onnx.token_encoder import ENCODER_GRAPH
from mamtra.runtime.reading import reading_of
from mamtra.speech_lm import SpeechLM, SpeechLMConfig
from mamtra.synthesis.text_reader import TextConfig

ABOUT_COPY = (
    "Written by `mamtra export --to onnx`: all that speaks in one folder, with graphs (`*.onnx`) "
    "that point into the weights beside them."
)
EXACT_BITS = (32, 16)  # no rounding beyond that of the stored weights


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxExport:
    """What was asked for.

    Attributes:
        bits: of the speech language model's matrices: 32 takes them as they are stored, 16 too
            (floats of 16 bit are widened while a graph loads), 8 and 4 round them.
        standard: only operators of the ONNX standard, for other runtimes.
    """

    bits: int = 32
    standard: bool = False

    def __post_init__(self) -> None:
        if self.bits not in (*get_args(Bits), *EXACT_BITS):
            raise ConfigError(f"{self.bits} bits are not possible; possible are 32, 16, 8 and 4")
        if self.standard and self.bits not in EXACT_BITS:
            raise ConfigError(
                f"{self.bits} bits need operators of onnxruntime's own; leave --standard out or "
                "take 32 bits"
            )


def write_graph(model: onnx.ModelProto, path: Path) -> None:
    """Write a graph whole or not at all."""
    write_file(path, model.SerializeToString(), ModelError)


def read_stored(tensor: StoredTensor) -> np.ndarray:
    """A stored tensor's numbers, as float32 where numpy lacks its type."""
    if tensor.kind == onnx.TensorProto.BFLOAT16:
        halves = np.memmap(tensor.file, np.uint16, "r", tensor.offset, tensor.shape)
        return (halves.astype(np.uint32) << 16).view(np.float32)
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.kind)
    return np.asarray(np.memmap(tensor.file, dtype, "r", tensor.offset, tensor.shape))


def with_few_bits(
    stored: dict[str, StoredTensor], matrices: dict[str, Matrix], bits: int, folder: Path
) -> dict[str, StoredTensor]:
    """Round matrices, store them in a file of their own, and add them to what is stored."""
    path = folder / f"speech_lm.{bits}bit.safetensors"
    few = rounded(matrices, lambda name: read_stored(stored[name]), bits)
    write_file(path, save(few), ModelError)
    return stored | stored_tensors([path])


class FolderExport:
    """The graphs of one folder.

    Args:
        model: the folder.
        export: what was asked for.
        output: where matrices in few bits are stored; beside the weights if left.
    """

    def __init__(self, model: ModelFolder, export: OnnxExport, output: Path | None = None) -> None:
        self.model, self.export, self.output = model, export, output or model.folder
        self.form: Form = "standard" if export.standard else "fused"

    def stored(self, part: str, build: Callable[[], nn.Module]) -> dict[str, StoredTensor]:
        """Tensors of a part.

        Args:
            part: as in ``config.json``.
            build: its module, whose weights they must be.

        Raises:
            CheckpointError: a file is missing, damaged or cut short, or does not fit the module.
        """
        path = self.model.part_file(part)
        with torch.device("meta"):
            expected = build().state_dict()
        with opened(path) as weights:
            check_part(weights, expected, path)
        return stored_tensors(self.model.part_files(part))

    def speech_lm(self) -> dict[str, onnx.ModelProto]:
        """Files of the speech language model: as it is stored, and in few bits where asked for."""
        config = self.model.section("speech_lm", SpeechLMConfig)
        stored = self.stored("speech_lm", lambda: SpeechLM(config))
        found, reading = {}, reading_of(self.model)
        if config.conditioning is not None:
            notes = notes_for("conditioning")
            found[VOICE_GRAPH] = conditioning_graph(config.conditioning, stored, notes)
        for bits in sorted({32, self.export.bits} - {16}):
            if bits not in EXACT_BITS:
                stored = with_few_bits(stored, matrices_of(config), bits, self.output)
            notes = notes_for("speech_lm", **sizes_of_speech_lm(config, bits, reading))
            if bits not in EXACT_BITS:
                sources = self.model.part_files("speech_lm")
                notes |= {f"{ROUNDED}{file.name}": sampled(file) for file in sources}
            name = graph_name("speech_lm", bits)
            names: dict[Form, str] = {self.form: name}
            if self.has_short_form(config.backbone):
                names["short"] = short_form(Path(name)).name
            for form, file in names.items():
                made = SpeechLMExport(form=form, bits=bits, reading=reading)
                found[file] = speech_lm_graph(config, stored, made, notes)
        return found

    def has_short_form(self, backbone: BackboneConfig) -> bool:
        """Whether attention in one node makes another graph than the form asked for."""
        if self.export.standard or "A" not in backbone.layout:
            return False
        return in_one_node(backbone, "short") and not in_one_node(backbone, self.form)

    def decoder(self) -> dict[str, onnx.ModelProto]:
        """Files of the decoder."""
        config = self.model.section("decoder", DecoderConfig)
        stored = self.stored("decoder", lambda: Decoder(config))
        notes = notes_for("decoder", **sizes_of_decoder(config))
        found = {"decoder.onnx": decoder_graph(config, stored, notes)}
        if config.steps:
            found["velocity.onnx"] = velocity_graph(config, stored, notes)
            found[ENCODER_GRAPH] = decoder_graph(config, stored, notes, stream=True)
            found[CHUNK_GRAPH] = velocity_graph(config, stored, notes, "chunk")
            found[CHUNKS_GRAPH] = velocity_graph(config, stored, notes, "chunks")
        return found

    def vocoder(self) -> dict[str, onnx.ModelProto]:
        """The file of the vocoder."""
        config = self.model.section("vocoder", VocoderConfig)
        notes = notes_for("vocoder", **sizes_of_vocoder(config))
        stored = self.stored("vocoder", lambda: Vocoder(config))
        return {"vocoder.onnx": vocoder_graph(config, stored, notes)}

    def speech_tokenizer(self) -> dict[str, onnx.ModelProto]:
        """The file of the speech tokenizer; none where it is published as a graph."""
        if "onnx" in (self.model.config.speech_tokenizer or {}):
            return {}
        config = self.model.section("speech_tokenizer", SpeechTokenizerConfig)
        stored = self.stored("speech_tokenizer", lambda: SpeechTokenizer(config))
        graph = tokenizer_graph(config, stored, notes_for("speech_tokenizer"))
        return {"speech_tokenizer.onnx": graph}

    def speaker(self) -> dict[str, onnx.ModelProto]:
        """The file of the speaker encoder; none where it is published as a graph."""
        if "onnx" in (self.model.config.speaker or {}):
            return {}
        config = self.model.section("speaker", SpeakerConfig)
        stored = self.stored("speaker", lambda: SpeakerEncoder(config))
        return {"speaker.onnx": speaker_graph(config, stored, notes_for("speaker"))}


def copy_model(model: ModelFolder, output: Path) -> None:
    """Copy a model with everything that speaks into an empty folder, a donor's parts included."""
    (output / VOICES).mkdir()
    values = json.loads((model.folder / CONFIG).read_text(encoding="utf-8"))
    values.pop("parts_from", None)
    for name in (*PARTS, "text", "mel", "sampling", "guard", "voice"):  # that a donor adds
        if model.donor and (value := getattr(model.donor.config, name)) is not None:
            values.setdefault(name, value)
    (output / CONFIG).write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    for part in PARTS:
        if not model.holds(part):
            continue
        section = getattr(model.holder(part).config, part)
        published = section.get("onnx")
        files = [model.holder(part).folder / published] if published else model.part_files(part)
        for file in files:
            if not published or file.is_file():  # speaking does without what listens
                shutil.copyfile(file, output / file.name)
    if words := model.optional("text", TextConfig).pronunciations:
        shutil.copyfile(model.holder("text").folder / words, output / words)
    for holder in (model.donor, model):
        if holder is not None:
            copy_beside(holder.folder, output)
    copy_cards(model, output, ABOUT_COPY)


def export_onnx(model: ModelFolder, export: OnnxExport, output: Path | None = None) -> list[Path]:
    """Write the graphs of a model.

    Args:
        model: its folder.
        export: what was asked for.
        output: a new folder that gets a copy of everything that speaks, and appears when it is
            complete; without one the graphs are written beside the model's own weights, those of
            its own parts only.

    Returns:
        The graphs.

    Raises:
        ModelError: a part is missing or damaged, a mixer has no graph, or the output is not empty.
    """
    if output is None:
        return write_graphs(model, export)
    with new_folder(output) as folder:
        copy_model(model, folder)
        written = write_graphs(ModelFolder(folder), export)
    return [output / path.name for path in written]


def write_graphs(model: ModelFolder, export: OnnxExport) -> list[Path]:
    """Write the graphs of a model's own parts beside their weights; returns the graphs."""
    made, written = FolderExport(model, export), []
    for part in PARTS:
        if getattr(model.config, part) is None or part == "proofreader":  # numpy on every engine
            continue
        for name, graph in getattr(made, part)().items():
            write_graph(graph, model.folder / name)
            written.append(model.folder / name)
    for path in written:
        if short_form(path) not in written:
            short_form(path).unlink(missing_ok=True)  # of an earlier export in another form
    renew_checksums(model.folder)
    return written
