"""The vocoder's excitation as a graph: pitch of every frame, then sines, or pulses and noise."""

import math

import numpy as np
from onnx import TensorProto

from mamtra.acoustic.pitch import CausalPitchPredictor, PitchPredictor
from mamtra.acoustic.source import SINE_AMPLITUDE, UNVOICED_NOISE, VOICED_NOISE
from mamtra.acoustic.vocoder import VocoderConfig
from mamtra.interop.onnx.graph import Graph
from mamtra.interop.onnx.modules import convolution, cut, gives, linear, number, to_vectors

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


def counters(config: VocoderConfig) -> list[int]:
    """The shape of what tells how far the phases have come."""
    harmonics = config.overtones + 1
    if config.sampled_phases:
        return [2 * harmonics]
    return [harmonics] if config.causal else []


def turns_of(graph: Graph, pitch: str, config: VocoderConfig) -> str:
    """Turns (harmonics, frames) of each harmonic in a sample: rounded to float32, then float64."""
    count = config.overtones + 1
    numbers = graph.constant(np.arange(1, count + 1)[:, None], np.float32)
    turned = graph.add("Mul", [graph.add("Unsqueeze", [pitch, graph.shape(0)]), numbers])
    turned = graph.add("Div", [turned, number(graph, config.rate_hz)])
    turned = graph.add("Sub", [turned, graph.add("Floor", [turned])])
    return graph.add("Cast", [turned], to=TensorProto.DOUBLE)


def sampled_sines(graph: Graph, pitch: str, config: VocoderConfig) -> tuple[str, str]:
    """Sines (harmonics, frames, hop) whose phase grows at every sample, and what moves them."""
    turned, hop = turns_of(graph, pitch, config), config.mel_hop
    moved = graph.add("Mul", [turned, double(graph, float(hop))])
    passed, first = graph.add("Split", ["cycles"], 2, axis=0, num_outputs=2)
    before = graph.add("CumSum", [moved, graph.constant(1, np.int64)])
    before = graph.add("Sub", [before, moved])
    before = graph.add("Add", [before, graph.add("Unsqueeze", [passed, graph.shape(1)])])
    before, each = (graph.add("Unsqueeze", [part, graph.shape(2)]) for part in (before, turned))
    inside = graph.add("Mul", [each, double(graph, np.arange(1.0, hop + 1))])
    total = graph.add("Cast", [graph.add("Add", [before, inside])], to=TensorProto.FLOAT)
    total = graph.add("Sub", [total, graph.add("Floor", [total])])
    phase = graph.add("Mul", [total, number(graph, 2 * math.pi)])
    first = graph.add("Cast", [first], to=TensorProto.FLOAT)
    first = graph.add("Unsqueeze", [first, graph.shape(1, 2)])
    return graph.add("Sin", [graph.add("Add", [phase, first])]), moved


def stair_sines(graph: Graph, pitch: str, config: VocoderConfig) -> tuple[str, str]:
    """Sines (noises, frames, 1) whose phase stands still within a frame, and what moves them."""
    turned = turns_of(graph, pitch, config)
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
    """The sum of so many cosines, (frames, hop), scaled to a power of 1; of none it is silence."""
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
    some = graph.add("Max", [harmonics, number(graph, 1)])
    power = graph.add("Sqrt", [graph.add("Div", [number(graph, 2), some])])
    return graph.add("Mul", [total, power])


def smooth_sines(graph: Graph, pitch: str, config: VocoderConfig) -> str:
    """Sines (noises, frames, hop) of the pitch and its overtones."""
    cycles = cycles_at_samples(graph, pitch, config)
    numbers = double(graph, np.arange(1.0, config.overtones + 2)[:, None, None])
    turned = graph.add("Mul", [graph.add("Unsqueeze", [cycles, graph.shape(0)]), numbers])
    turned = graph.add("Sub", [turned, graph.add("Floor", [turned])])
    turned = graph.add("Mul", [turned, double(graph, 2 * math.pi)])
    return graph.add("Sin", [graph.add("Cast", [turned], to=TensorProto.FLOAT)])


def growing_sines(graph: Graph, pitch: str, config: VocoderConfig) -> str:
    """Sines (harmonics, frames, hop or 1) of the pitch and its overtones, in the vocoder's way."""
    if not counters(config):
        return smooth_sines(graph, pitch, config)
    made = stair_sines if config.causal else sampled_sines
    sines, moved = made(graph, pitch, config)
    gives(graph, "turns", moved, config.overtones + 1, "frames", kind=TensorProto.DOUBLE)
    return sines


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
    sines, noise = growing_sines(graph, pitch, config), "noise"
    if config.noises > count:
        noise = cut(graph, noise, graph.shape(0), graph.shape(count), 0)
    noise = graph.add("Reshape", [noise, graph.shape(count, -1, config.mel_hop)])
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
