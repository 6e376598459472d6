"""The vocoder as one graph: pitch, excitation, trunk and inverse transform.

    mel      (bins, frames)
    noise    (noises, samples): standard normal; uniform for a causal vocoder
    settled  (frames that are known): pitch of the first frames, kept from an earlier piece
    cycles   float64: periods that passed before the first frame; of a causal vocoder (noises)
             turns of each harmonic

gives ``samples`` (frames * hop) and ``pitch`` (frames) in hertz; a causal vocoder also ``turns``
(noises, frames), by which each frame moves the cycles.
"""

import math

import numpy as np
import onnx
from onnx import TensorProto

from mamtra.acoustic.pitch import CausalPitchPredictor, PitchPredictor
from mamtra.acoustic.residual import SMALLEST_ALPHA
from mamtra.acoustic.source import SINE_AMPLITUDE, UNVOICED_NOISE, VOICED_NOISE
from mamtra.acoustic.vocoder import (
    FRAMES_AHEAD,
    LARGEST_LOG,
    LAST_LEAK,
    LEAK,
    LOUDEST,
    VocoderConfig,
)
from mamtra.interop.onnx.graph import Graph, StoredTensor
from mamtra.interop.onnx.modules import (
    OPSET,
    convolution,
    cut,
    gives,
    length,
    linear,
    number,
    takes,
    to_vectors,
)
from mamtra.interop.onnx.spectra import sound, spectrum

PEAK = 1e-4  # sine below which a pulse's closed form is replaced by its limit
END = 2**62


def double(graph: Graph, value: float | int | np.ndarray) -> str:
    """A constant in float64."""
    return graph.constant(value, np.float64)


def in_double(graph: Graph, name: str) -> str:
    """A stored tensor in float64."""
    return graph.add("Cast", [graph.weight(name)], to=TensorProto.DOUBLE)


def causal_pitch(graph: Graph, mel: str) -> str:
    """Pitch of every frame of (1, bins, frames) in float64 until the end; (frames)."""
    hidden = graph.add("Cast", [mel], to=TensorProto.DOUBLE)
    for layer in range(PitchPredictor.layers):
        name = f"pitch.convs.{layer}"
        direction = in_double(graph, f"{name}.direction")
        square = graph.add(
            "ReduceSum", [graph.add("Mul", [direction, direction]), graph.shape(1, 2)], keepdims=1
        )
        gain = graph.add("Div", [in_double(graph, f"{name}.length"), graph.add("Sqrt", [square])])
        weight = graph.add("Mul", [direction, gain])
        taps = graph.size(f"{name}.direction")[2]
        pads = (2, 0) if layer else (0, CausalPitchPredictor.ahead)
        hidden = double_convolution(graph, hidden, weight, in_double(graph, f"{name}.bias"), pads)
        assert taps == sum(pads) + 1, "the padding keeps the length"
        # onnxruntime has no Elu in float64
        zero = double(graph, 0.0)
        below = graph.add(
            "Sub", [graph.add("Exp", [graph.add("Min", [hidden, zero])]), double(graph, 1.0)]
        )
        hidden = graph.add("Add", [graph.add("Max", [hidden, zero]), below])
    weight, bias = in_double(graph, "pitch.output.weight"), in_double(graph, "pitch.output.bias")
    found = graph.add("MatMul", [weight, graph.add("Squeeze", [hidden, graph.shape(0)])])
    found = graph.add("Abs", [graph.add("Add", [found, bias])])
    found = graph.add("Cast", [found], to=TensorProto.FLOAT)
    return graph.add("Squeeze", [found, graph.shape(0)])


def double_convolution(
    graph: Graph, signal: str, weight: str, bias: str, pads: tuple[int, int]
) -> str:
    """A convolution over (1, channels, time) in float64, as one product for each tap."""
    padded = graph.add("Pad", [signal, graph.shape(0, 0, pads[0], 0, 0, pads[1])])
    flat = graph.add("Squeeze", [padded, graph.shape(0)])
    total, taps = graph.add("Unsqueeze", [bias, graph.shape(1)]), sum(pads) + 1
    for tap in range(taps):
        part = graph.add("Gather", [weight, graph.constant(tap, np.int64)], axis=2)
        end = tap - taps + 1 or END
        seen = cut(graph, flat, graph.shape(tap), graph.shape(end), 1)
        total = graph.add("Add", [total, graph.add("MatMul", [part, seen])])
    return graph.add("Unsqueeze", [total, graph.shape(0)])


def stair_sines(graph: Graph, pitch: str, config: VocoderConfig) -> tuple[str, str]:
    """Sines (noises, frames, 1) whose phase stands still within a frame, and what moves them."""
    count = config.overtones + 1
    numbers = graph.constant(np.arange(1, count + 1)[:, None], np.float32)
    turned = graph.add("Mul", [graph.add("Unsqueeze", [pitch, graph.shape(0)]), numbers])
    turned = graph.add("Div", [turned, number(graph, config.rate_hz)])
    turned = graph.add("Sub", [turned, graph.add("Floor", [turned])])
    turned = graph.add("Cast", [turned], to=TensorProto.DOUBLE)
    total = graph.add("CumSum", [turned, graph.constant(1, np.int64)])
    total = graph.add("Add", [total, graph.add("Unsqueeze", ["cycles", graph.shape(1)])])
    phase = graph.add("Cast", [total], to=TensorProto.FLOAT)
    for factor in (2.0, math.pi, float(config.mel_hop)):
        phase = graph.add("Mul", [phase, number(graph, factor)])
    return graph.add("Unsqueeze", [graph.add("Sin", [phase]), graph.shape(2)]), turned


def predict_pitch(graph: Graph, mel: str, config: VocoderConfig) -> str:
    """Pitch of every frame of (1, bins, frames); (frames)."""
    if config.causal:
        return causal_pitch(graph, mel)
    hidden = mel
    for layer in range(PitchPredictor.layers):
        hidden = graph.add("Elu", [convolution(graph, hidden, f"pitch.convs.{layer}", (1, 1))])
    found = graph.add("Abs", [linear(graph, to_vectors(graph, hidden), "pitch.output")])
    found = graph.add("Mul", [found, number(graph, config.pitch_scale_hz)])
    return graph.add("Squeeze", [found, graph.shape(1)])


def cycles_at_samples(graph: Graph, pitch: str, config: VocoderConfig) -> str:
    """(frames, hop) float64: how many periods have passed, linear from middle to middle."""
    hop = config.mel_hop
    grown = graph.add("Cast", [pitch], to=TensorProto.DOUBLE)
    grown = graph.add("Mul", [grown, double(graph, hop / config.rate_hz)])
    middles = graph.add("CumSum", [grown, graph.constant(0, np.int64)])
    middles = graph.add("Add", [middles, "cycles"])
    first, last = graph.shape(0), graph.shape(END)
    after = graph.add(
        "Concat",
        [
            cut(graph, middles, graph.shape(1), last, 0),
            cut(graph, middles, graph.shape(-1), last, 0),
        ],
        axis=0,
    )
    before = graph.add(
        "Concat",
        [
            cut(graph, middles, first, graph.shape(1), 0),
            cut(graph, middles, first, graph.shape(-1), 0),
        ],
        axis=0,
    )
    rising, falling = (graph.add("Sub", pair) for pair in ([after, middles], [middles, before]))
    way = (np.arange(hop) + 0.5) / hop - 0.5

    def column(part: str) -> str:
        return graph.add("Unsqueeze", [part, graph.shape(1)])

    bent = graph.add(
        "Add",
        [
            graph.add("Mul", [column(rising), double(graph, np.maximum(way, 0))]),
            graph.add("Mul", [column(falling), double(graph, np.minimum(way, 0))]),
        ],
    )
    return graph.add("Add", [column(middles), bent])


def pulses(graph: Graph, cycles: str, harmonics: str) -> str:
    """The sum of so many cosines, (frames, hop), scaled to a power of 1."""
    part = graph.add("Sub", [cycles, graph.add("Round", [cycles])])
    half = graph.add("Mul", [part, double(graph, math.pi)])
    half = graph.add("Cast", [half], to=TensorProto.FLOAT)
    below = graph.add("Sin", [half])
    peak = graph.add("Less", [graph.add("Abs", [below]), number(graph, PEAK)])
    count = graph.add("Add", [graph.add("Mul", [harmonics, number(graph, 2)]), number(graph, 1)])
    above = graph.add("Sin", [graph.add("Mul", [count, half])])
    ratio = graph.add("Div", [above, graph.add("Where", [peak, number(graph, 1), below])])
    total = graph.add("Mul", [graph.add("Sub", [ratio, number(graph, 1)]), number(graph, 0.5)])
    total = graph.add("Where", [peak, harmonics, total])
    power = graph.add("Sqrt", [graph.add("Div", [number(graph, 2), harmonics])])
    return graph.add("Mul", [total, power])


def smooth_sines(graph: Graph, pitch: str, config: VocoderConfig) -> str:
    """Sines (noises, frames, hop) of the pitch and its overtones."""
    cycles = cycles_at_samples(graph, pitch, config)
    numbers = double(graph, np.arange(1.0, config.overtones + 2)[:, None, None])
    turned = graph.add("Mul", [graph.add("Unsqueeze", [cycles, graph.shape(0)]), numbers])
    turned = graph.add("Sub", [turned, graph.add("Floor", [turned])])
    turned = graph.add("Mul", [turned, double(graph, 2 * math.pi)])
    return graph.add("Sin", [graph.add("Cast", [turned], to=TensorProto.FLOAT)])


def excitation(graph: Graph, pitch: str, config: VocoderConfig) -> str:
    """(branches, samples): mixed sines, or pulses and noise."""
    column = graph.add("Unsqueeze", [pitch, graph.shape(1)])
    voiced = graph.add("Greater", [column, number(graph, config.voiced_above_hz)])
    voiced = graph.add("Cast", [voiced], to=TensorProto.FLOAT)
    if not config.overtones:
        held = graph.add("Max", [column, number(graph, config.voiced_above_hz)])
        harmonics = graph.add("Div", [number(graph, config.rate_hz / 2), held])
        cycles = cycles_at_samples(graph, pitch, config)
        made = pulses(graph, cycles, graph.add("Floor", [harmonics]))
        made = graph.add("Reshape", [graph.add("Mul", [made, voiced]), graph.shape(1, -1)])
        both = graph.add("Concat", [made, "noise"], axis=0)
        return graph.add("Mul", [both, number(graph, SINE_AMPLITUDE)])
    count = config.overtones + 1
    if config.causal:
        sines, moved = stair_sines(graph, pitch, config)
        gives(graph, "turns", moved, count, "frames", kind=TensorProto.DOUBLE)
    else:
        sines = smooth_sines(graph, pitch, config)
    noise = graph.add("Reshape", ["noise", graph.shape(count, -1, config.mel_hop)])
    quiet, loud = number(graph, VOICED_NOISE - UNVOICED_NOISE), number(graph, UNVOICED_NOISE)
    level = graph.add("Add", [graph.add("Mul", [voiced, quiet]), loud])
    amplitude = graph.add("Mul", [voiced, number(graph, SINE_AMPLITUDE)])
    waves = graph.add(
        "Add", [graph.add("Mul", [sines, amplitude]), graph.add("Mul", [noise, level])]
    )
    flat = graph.add("Reshape", [waves, graph.shape(count, -1)])
    mixed = graph.add("MatMul", [graph.weight("source.mix.weight"), flat])
    mixed = graph.add("Add", [mixed, graph.weight("source.mix.bias")])
    return graph.add("Tanh", [mixed])


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
    takes(graph, "noise", TensorProto.FLOAT, config.overtones + 1, "samples")
    takes(graph, "settled", TensorProto.FLOAT, "known")
    takes(graph, "cycles", TensorProto.DOUBLE, *([config.overtones + 1] if config.causal else []))
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
