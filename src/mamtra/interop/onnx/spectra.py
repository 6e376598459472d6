"""Short-time Fourier transforms as convolutions, whose kernels are made while a graph loads.

Spectra lie (signals, 2 * frequencies, time), real parts above imaginary ones.
"""

import math
from typing import Any

import numpy as np
from onnx import TensorProto

from mamtra.interop.onnx.graph import Graph
from mamtra.interop.onnx.modules import number


def turns(graph: Graph, n_fft: int) -> str:
    """(frequencies, n_fft): the angle of each frequency at each sample."""
    frequencies = graph.constant(np.arange(n_fft // 2 + 1)[:, None], np.int64)
    samples = graph.constant(np.arange(n_fft)[None], np.int64)
    product = graph.add("Mul", [frequencies, samples])
    # whole turns are taken out while the numbers are exact
    rest = graph.add("Mod", [product, graph.constant(n_fft, np.int64)])
    rest = graph.add("Cast", [rest], to=TensorProto.FLOAT)
    return graph.add("Mul", [rest, number(graph, 2 * math.pi / n_fft)])


def window(n_fft: int) -> np.ndarray:
    """Hann's window, periodic."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)).astype(np.float32)


def basis(graph: Graph, n_fft: int, scale: np.ndarray) -> str:
    """(2 * frequencies, 1, n_fft): cosines and negated sines, scaled for each frequency."""
    angle = turns(graph, n_fft)
    parts = [graph.add("Cos", [angle]), graph.add("Neg", [graph.add("Sin", [angle])])]
    shaped = graph.constant(window(n_fft), np.float32)
    column = graph.constant(scale[:, None], np.float32)
    parts = [graph.add("Mul", [graph.add("Mul", [part, shaped]), column]) for part in parts]
    return graph.add("Unsqueeze", [graph.add("Concat", parts, axis=0), graph.shape(1)])


def spectrum(graph: Graph, signals: str, n_fft: int, hop: int) -> str:
    """Spectra of (signals, samples), one frame more than there are hops; ends are mirrored."""
    half = n_fft // 2
    padded = graph.add("Pad", [signals, graph.shape(0, half, 0, half)], mode="reflect")
    wide = graph.add("Unsqueeze", [padded, graph.shape(1)])
    kernel = basis(graph, n_fft, np.ones(half + 1))
    return graph.add("Conv", [wide, kernel], strides=[hop], kernel_shape=[n_fft])


def sound(graph: Graph, spectra: str, n_fft: int, hop: int) -> str:
    """(samples) of the one spectrum (1, 2 * frequencies, time)."""
    half = n_fft // 2
    scale = np.full(half + 1, 2 / n_fft)
    scale[[0, half]] = 1 / n_fft
    shared: dict[str, Any] = {"strides": [hop], "pads": [half, half], "kernel_shape": [n_fft]}
    made = graph.add("ConvTranspose", [spectra, basis(graph, n_fft, scale)], **shared)
    one = graph.add("Slice", [spectra, graph.shape(0), graph.shape(1), graph.shape(1)])
    ones = graph.add("Add", [graph.add("Mul", [one, number(graph, 0.0)]), number(graph, 1.0)])
    squared = graph.constant(window(n_fft)[None, None] ** 2, np.float32)
    covered = graph.add("ConvTranspose", [ones, squared], **shared)
    return graph.add("Squeeze", [graph.add("Div", [made, covered]), graph.shape(0, 1)])
