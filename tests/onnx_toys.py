"""Small random models, as modules and as the graphs that the exporter makes of them."""

from pathlib import Path

import torch
from safetensors.torch import save_file

from mamtra.backbone import BackboneConfig, GatedDeltaNetConfig, MambaConfig
from mamtra.interop.onnx.conditioning import conditioning_graph
from mamtra.interop.onnx.export import with_few_bits, write_graph
from mamtra.interop.onnx.graph import stored_tensors
from mamtra.interop.onnx.layers import Form
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
from mamtra.runtime.onnx.decoder import OnnxDecoder
from mamtra.runtime.onnx.flow import CHUNK_GRAPH, CHUNKS_GRAPH
from mamtra.runtime.onnx.guided import VOICE_GRAPH, GuidedOnnxModel
from mamtra.runtime.onnx.speech_model import OnnxSpeechModel
from mamtra.runtime.onnx.token_encoder import ENCODER_GRAPH
from mamtra.runtime.onnx.vocoder import OnnxVocoder
from mamtra.speech_lm import SpeechLM, SpeechLMConfig
from mamtra.speech_lm.reading import ReadingConfig

VARIANTS = {
    "parity": MambaConfig(),
    "grouped": MambaConfig(decay="group", decay_start="long", gate="open"),
    "rotary": MambaConfig(rotary=True, input_bias=True, conv_start="identity", activation="none"),
    "bare": MambaConfig(conv_width=0, gate="none", norm=False, activation="none"),
    "unshared": MambaConfig(kv_heads=4, state_dim=8, conv_width=1),
    "delta": GatedDeltaNetConfig(),
    "delta-open": GatedDeltaNetConfig(
        rotary=True, input_bias=True, gate="open", activation="none", beta_start=0.5
    ),
    "delta-bare": GatedDeltaNetConfig(conv_width=0, gate="none", activation="none", kv_heads=4),
    "two taps": MambaConfig(conv_width=2, gate="open", decay="group", head_dim=4),
}
# layout, Mamba variant, head width: 6 needs attention as plain products, 8 a rotation of its own,
# 16 is taken whole by the operator; one key head for all queries needs plain products as well
STACKS = {
    "A6": ("A", "parity", 6),
    "A8": ("A", "parity", 8),
    "A16": ("A", "parity", 16),
    "M": ("M", "parity", 6),
    "M-grouped": ("M", "grouped", 6),
    "M-rotary": ("M", "rotary", 6),
    "M-bare": ("M", "bare", 6),
    "M-unshared": ("M", "unshared", 6),
    "M-two-taps": ("M", "two taps", 6),
    "G": ("G", "delta", 6),
    "G-open": ("G", "delta-open", 6),
    "G-bare": ("G", "delta-bare", 6),
    "AGGA": ("AGGA", "delta", 16),
    "AMMA": ("AMMA", "parity", 16),
    "MAM": ("MAM", "grouped", 8),
    "MA-rotary": ("MA", "rotary", 16),
    "A16-one-key": ("A", "parity", 16, 1),
    "MA-one-key": ("MA", "parity", 8, 1),
}


def toy_speech_lm(name: str, dim: int = 24) -> SpeechLM:
    """A speech language model with random weights, its norms and biases too."""
    layout, variant, head_dim, *kv_heads = STACKS[name]
    torch.manual_seed(0)
    backbone = BackboneConfig(
        dim=dim,
        layout=layout,
        query_heads=4,
        kv_heads=kv_heads[0] if kv_heads else 2,
        head_dim=head_dim,
        mlp_dim=32,
        rope_theta=1e4,
        **{"deltanet" if "G" in layout else "mamba": VARIANTS[variant]},
    )
    config = SpeechLMConfig(backbone=backbone, text_vocabulary=20, speech_vocabulary=27)
    model = SpeechLM(config).requires_grad_(False).eval()
    for parameter in model.parameters():
        if parameter.dim() == 1:
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model


def save(module: torch.nn.Module, path: Path) -> None:
    """Write a module's weights as they are."""
    save_file({name: value.contiguous() for name, value in module.state_dict().items()}, path)


def open_speech_lm(
    module: SpeechLM,
    folder: Path,
    form: Form = "fused",
    bits: int = 32,
    reading: ReadingConfig | None = None,
) -> OnnxSpeechModel | GuidedOnnxModel:
    """The runtime's form of a speech language model; one that reads voices is guided."""
    save(module, folder / "speech_lm.safetensors")
    stored = stored_tensors([folder / "speech_lm.safetensors"])
    if bits != 32:
        stored = with_few_bits(stored, matrices_of(module.config), bits, folder)
    notes = notes_for("speech_lm", **sizes_of_speech_lm(module.config, bits, reading))
    made = SpeechLMExport(form=form, bits=bits, reading=reading)
    graph = speech_lm_graph(module.config, stored, made, notes)
    write_graph(graph, folder / "speech_lm.onnx")
    if given := module.config.conditioning:
        graph = conditioning_graph(given, stored, notes_for("conditioning"))
        write_graph(graph, folder / VOICE_GRAPH)
        return GuidedOnnxModel(folder / "speech_lm.onnx")
    return OnnxSpeechModel(folder / "speech_lm.onnx", reading=reading)


GRAPHS_OF_A_FLOW = {"velocity.onnx": "all", CHUNK_GRAPH: "chunk", CHUNKS_GRAPH: "chunks"}


def open_decoder(module, folder: Path, flow_context: int = 0) -> OnnxDecoder:
    """The runtime's form of a decoder."""
    save(module, folder / "decoder.safetensors")
    stored = stored_tensors([folder / "decoder.safetensors"])
    notes = notes_for("decoder", **sizes_of_decoder(module.config))
    write_graph(decoder_graph(module.config, stored, notes), folder / "decoder.onnx")
    if module.config.steps:
        graph = decoder_graph(module.config, stored, notes, stream=True)
        write_graph(graph, folder / ENCODER_GRAPH)
        for name, frames in GRAPHS_OF_A_FLOW.items():
            graph = velocity_graph(module.config, stored, notes, frames)
            write_graph(graph, folder / name)
    return OnnxDecoder(folder / "decoder.onnx", flow_context=flow_context)


def open_vocoder(module, folder: Path) -> OnnxVocoder:
    """The runtime's form of a vocoder."""
    save(module, folder / "vocoder.safetensors")
    stored = stored_tensors([folder / "vocoder.safetensors"])
    notes = notes_for("vocoder", **sizes_of_vocoder(module.config))
    write_graph(vocoder_graph(module.config, stored, notes), folder / "vocoder.onnx")
    return OnnxVocoder(folder / "vocoder.onnx")
