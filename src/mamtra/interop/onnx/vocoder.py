"""The vocoder as one graph: pitch and excitation (``excitation.py``), trunk, inverse transform.

    mel      (bins, frames)
    noise    (noises, samples): standard normal; uniform for a causal vocoder; one more than
             harmonics where phases grow at every sample, which the runtime reads
    settled  (frames that are known): pitch of the first frames, kept from an earlier piece
    cycles   float64: periods that passed before the first frame; of a causal vocoder (harmonics)
             turns of each harmonic; where phases grow at every sample, (2 * harmonics) turns of
             each, and radians at which each began

gives ``samples`` (frames * hop) and ``pitch`` (frames) in hertz; the latter two vocoders also
``turns`` (harmonics, frames), by which each frame moves the turns.
"""

import math

import numpy as np
import onnx
from onnx import TensorProto

from mamtra.acoustic.residual import SMALLEST_ALPHA
from mamtra.acoustic.vocoder import (
    FRAMES_AHEAD,
    LARGEST_LOG,
    LAST_LEAK,
    LEAK,
    LOUDEST,
    VocoderConfig,
)
from mamtra.interop.onnx.excitation import END, counters, excitation, predict_pitch
from mamtra.interop.onnx.graph import Graph, StoredTensor
from mamtra.interop.onnx.modules import (
    OPSET,
    convolution,
    cut,
    gives,
    length,
    number,
    takes,
)
from mamtra.interop.onnx.spectra import sound, spectrum


def snake(graph: Graph, hidden: str, name: str) -> str:
    """``x + sin(a x)^2 / a``, with a learned a for every channel."""
    alpha = graph.add("Unsqueeze", [graph.weight(f"{name}.alpha"), graph.shape(1)])
    bent = graph.add("Sin", [graph.add("Mul", [hidden, alpha])])
    inverse = graph.add("Reciprocal", [graph.add("Add", [alpha, number(graph, SMALLEST_ALPHA)])])
    bent = graph.add("Mul", [graph.add("Mul", [bent, bent]), inverse])
    return graph.add("Add", [hidden, bent])


def around(reach: int, causal: bool) -> tuple[int, int]:
    """Zeros before and after, that a convolution which sees so many others keeps the length."""
    return (reach, 0) if causal else (reach // 2, reach // 2)


def residual_block(graph: Graph, hidden: str, name: str, config: VocoderConfig) -> str:
    """Pairs of a dilated and a plain convolution, each pair around a shortcut."""
    for index, dilation in enumerate(config.dilations):
        reach = graph.size(f"{name}.dilated.{index}.weight")[2] - 1
        inner = snake(graph, hidden, f"{name}.dilated_snakes.{index}")
        wide = around(reach * dilation, config.causal)
        inner = convolution(graph, inner, f"{name}.dilated.{index}", wide, dilation=dilation)
        inner = snake(graph, inner, f"{name}.plain_snakes.{index}")
        inner = convolution(graph, inner, f"{name}.plain.{index}", around(reach, config.causal))
        hidden = graph.add("Add", [hidden, inner])
    return hidden


def upsampled(graph: Graph, hidden: str, stage: int, config: VocoderConfig) -> str:
    """A higher frame rate: a transposed convolution, or repetition and a causal one."""
    rate, kernel = config.upsample_rates[stage], config.upsample_kernels[stage]
    name = f"upsamplers.{stage}"
    if config.causal:
        sizes = graph.constant([1.0, 1.0, float(rate)], np.float32)
        wide = graph.add(
            "Resize",
            [hidden, "", sizes],
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
        return convolution(graph, wide, name, (kernel - 1, 0))
    return graph.add(
        "ConvTranspose",
        [hidden, graph.weight(f"{name}.weight"), graph.weight(f"{name}.bias")],
        strides=[rate],
        pads=[(kernel - rate) // 2] * 2,
        kernel_shape=[kernel],
    )


def trunk(graph: Graph, mel: str, seen: str, config: VocoderConfig) -> str:
    """Raise mel features to the spectrum's frame rate, with the excitation in view."""
    kernels, stages = len(config.block_kernels), len(config.upsample_rates)
    hidden = convolution(graph, mel, "conv_in", (0, FRAMES_AHEAD) if config.causal else (3, 3))
    for stage in range(stages):
        hidden = graph.add("LeakyRelu", [hidden], alpha=LEAK)
        hidden = upsampled(graph, hidden, stage, config)
        if stage == stages - 1:
            hidden = graph.add("Pad", [hidden, graph.shape(0, 0, 1, 0, 0, 0)], mode="reflect")
        stride = math.prod(config.upsample_rates[stage + 1 :])
        pad = stride // 2 if stride > 1 else 0
        pads = (stride - 1, 0) if config.causal else (pad, pad)
        source = convolution(graph, seen, f"source_downs.{stage}", pads, stride=stride)
        source = residual_block(graph, source, f"source_blocks.{stage}", config)
        hidden = graph.add("Add", [hidden, source])
        blocks = [
            residual_block(graph, hidden, f"blocks.{stage * kernels + index}", config)
            for index in range(kernels)
        ]
        total = blocks[0] if kernels == 1 else graph.add("Sum", blocks)
        hidden = graph.add("Mul", [total, number(graph, 1 / kernels)])
    return graph.add("LeakyRelu", [hidden], alpha=LAST_LEAK)


def wanted_spectrum(graph: Graph, spectra: str, out: str, config: VocoderConfig) -> str:
    """The spectrum that the trunk asks for, (1, 2 * frequencies, time)."""
    parts = 2 if config.head == "spectrum" else 3
    *logs, phase = graph.add("Split", [out], parts, axis=1, num_outputs=parts)
    limit = number(graph, LARGEST_LOG)
    sizes = [graph.add("Exp", [graph.add("Min", [log, limit])]) for log in logs]
    if config.head == "spectrum":
        phase = graph.add("Sin", [phase])
    cosine = graph.add("Mul", [graph.add("Cos", [phase]), sizes[0]])
    sine = graph.add("Mul", [graph.add("Sin", [phase]), sizes[0]])
    if config.head == "spectrum":
        return graph.add("Concat", [cosine, sine], axis=1)
    pulse, breath = graph.add("Split", [spectra], 2, axis=0, num_outputs=2)
    real, imaginary = graph.add("Split", [pulse], 2, axis=1, num_outputs=2)
    products = [
        [graph.add("Mul", [part, by]) for by in (cosine, sine)] for part in (real, imaginary)
    ]
    turned = [
        graph.add("Sub", [products[0][0], products[1][1]]),
        graph.add("Add", [products[0][1], products[1][0]]),
    ]
    level = graph.add("Concat", [sizes[1], sizes[1]], axis=1)
    breath = graph.add("Mul", [breath, level])
    return graph.add("Add", [graph.add("Concat", turned, axis=1), breath])


def vocoder_graph(
    config: VocoderConfig, stored: dict[str, StoredTensor], notes: dict[str, str]
) -> onnx.ModelProto:
    """The graph from mel features to samples."""
    graph = Graph(stored, OPSET)
    takes(graph, "mel", TensorProto.FLOAT, config.bins, "frames")
    takes(graph, "noise", TensorProto.FLOAT, config.noises, "samples")
    takes(graph, "settled", TensorProto.FLOAT, "known")
    takes(graph, "cycles", TensorProto.DOUBLE, *counters(config))
    normal = graph.add("Sub", ["mel", number(graph, config.mel_mean)])
    normal = graph.add("Mul", [normal, number(graph, config.mel_scale)])
    normal = graph.add("Unsqueeze", [normal, graph.shape(0)])
    found = predict_pitch(graph, normal, config)
    rest = cut(graph, found, length(graph, "settled", 0), graph.shape(END), 0)
    pitch = graph.add("Concat", ["settled", rest], axis=0)
    spectra = spectrum(graph, excitation(graph, pitch, config), config.n_fft, config.hop)
    # one branch is seen: the mixed sines, or the pulses
    seen = cut(graph, spectra, graph.shape(0), graph.shape(1), 0)
    out = convolution(
        graph, trunk(graph, normal, seen, config), "conv_out", around(6, config.causal)
    )
    wanted = wanted_spectrum(graph, spectra, out, config)
    samples = sound(graph, wanted, config.n_fft, config.hop)
    limits = [number(graph, -LOUDEST), number(graph, LOUDEST)]
    gives(graph, "samples", graph.add("Clip", [samples, *limits]), "spoken")
    gives(graph, "pitch", pitch, "frames")
    return graph.model(notes)
