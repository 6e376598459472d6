"""A hift.pt at the reference's toy size, its vocoder, and the original's excitation."""

import math
import zlib
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mamtra.acoustic.vocoder import Vocoder, VocoderConfig
from mamtra.interop.cosyvoice_vocoder import vocoder_from_cosyvoice

TOY = VocoderConfig(channels=32, pitch_channels=32)
RATES, KERNELS, SOURCE_KERNELS, HOP = (8, 5, 3), (16, 11, 7), (7, 7, 11), 480


def toy_shapes() -> dict[str, tuple[int, ...]]:
    """Entries of hift.pt at the reference's toy size, as plain weights."""
    shapes: dict[str, tuple[int, ...]] = {"m_source.l_linear": (1, 9), "conv_pre": (32, 80, 7)}
    for stage, kernel in enumerate(KERNELS):
        width = 16 // 2**stage
        stride = math.prod(RATES[stage + 1 :])
        shapes[f"ups.{stage}"] = (2 * width, width, kernel)
        shapes[f"source_downs.{stage}"] = (width, 18, 2 * stride if stride > 1 else 1)
        blocks = {f"source_resblocks.{stage}": SOURCE_KERNELS[stage]}
        blocks |= {f"resblocks.{3 * stage + i}": (3, 7, 11)[i] for i in range(3)}
        for block, size in blocks.items():
            for i in range(3):
                shapes[f"{block}.convs1.{i}"] = shapes[f"{block}.convs2.{i}"] = (width, width, size)
                shapes[f"{block}.activations1.{i}"] = shapes[f"{block}.activations2.{i}"] = (width,)
    shapes["conv_post"] = (18, 4, 7)
    for layer in range(5):
        shapes[f"f0_predictor.condnet.{2 * layer}"] = (32, 32 if layer else 80, 3)
    return shapes | {"f0_predictor.classifier": (1, 32)}


def drawn(name: str, shape: tuple[int, ...]) -> Tensor:
    """The reference's weights: a function of an entry's name and shape alone."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    x = torch.from_numpy(random.standard_normal(size=shape, dtype=np.float32))
    match name.rsplit(".", 1)[-1]:
        case "original0":
            return (1 + 0.1 * x) * (0.25 if name.startswith("conv_post") else 1.0)
        case "alpha":
            return 1 + 0.1 * x
        case "bias":
            return x * (0.0 if "classifier" in name else 0.1)
    scale = 160.0 if "classifier" in name else 1.0
    return x * scale / math.sqrt(math.prod(shape[1:]))


@cache
def toy_tensors() -> dict[str, Tensor]:
    """A hift.pt at toy size."""
    entries: dict[str, tuple[int, ...]] = {}
    for name, shape in toy_shapes().items():
        if "activations" in name:
            entries[f"{name}.alpha"] = shape
            continue
        entries[f"{name}.bias"] = (shape[1] if name.startswith("ups") else shape[0],)
        if any(part in name for part in ("l_linear", "source_downs", "classifier")):
            entries[f"{name}.weight"] = shape
        else:
            entries[f"{name}.parametrizations.weight.original0"] = (shape[0], 1, 1)
            entries[f"{name}.parametrizations.weight.original1"] = shape
    return {name: drawn(name, shape) for name, shape in entries.items()}


@cache
def toy_vocoder() -> Vocoder:
    return vocoder_from_cosyvoice(toy_tensors())


def reference_noise(seed: int, frames: int) -> Tensor:
    """Noise in the original's order: an unused draw comes first, and time is the inner axis."""
    generator = torch.Generator().manual_seed(seed)
    torch.rand(1, 9, generator=generator)
    waves = torch.empty(1, 9, frames * HOP).mT
    return waves.normal_(generator=generator).mT


def relative(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).norm() / theirs.norm())


def rounded_source(vocoder: Vocoder, pitch: Tensor, noise: Tensor) -> Tensor:
    """The excitation with phases in float32 radians, which the original counts up without end."""
    numbers = torch.arange(1, 10.0)[:, None]
    steps = (pitch[:, None] * numbers / 24_000) % 1
    radians = torch.cumsum(steps, -1) * 2 * math.pi * HOP
    radians = functional.interpolate(radians, scale_factor=HOP, mode="linear")
    voiced = (pitch.repeat_interleave(HOP, 1)[:, None] > 10).float()
    waves = 0.1 * radians.sin() * voiced + (voiced * 0.003 + (1 - voiced) * 0.1 / 3) * noise
    return vocoder.source.mix(waves.mT).tanh().mT
