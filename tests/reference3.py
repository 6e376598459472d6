"""What the original CosyVoice 3 answers at toy size, and the weights it was given."""

import json
import math
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cosyvoice3_shapes import MARKS, REFERENCE, flow_shapes, hift_shapes, llm_shapes
from safetensors.torch import load_file
from torch import Tensor

from mamtra.acoustic.decoder import Decoder
from mamtra.acoustic.vocoder import Vocoder
from mamtra.interop.cosyvoice3_flow import decoder_from_cosyvoice3
from mamtra.interop.cosyvoice_lm import speech_lm_from_cosyvoice
from mamtra.interop.cosyvoice_vocoder import vocoder_from_cosyvoice
from mamtra.speech_lm import SpeechLM

FOLDER = Path(__file__).parent / "data" / "cosyvoice3"
EMBEDDINGS = ("embed_tokens.weight", "speech_embedding.weight", "input_embedding.weight")
HOP = 480


def values_of(case: str) -> dict[str, Any]:
    """The plain values of a reference case."""
    return json.loads((FOLDER / f"{case}.json").read_text(encoding="utf-8"))


@cache
def tensors_of(case: str) -> dict[str, Tensor]:
    """The tensors of a reference case."""
    return load_file(FOLDER / f"{case}.safetensors")


def scaled(name: str, x: np.ndarray) -> np.ndarray:
    """Draws with the mean and the spread of an entry of this name."""
    shape, leaf = x.shape, name.rsplit(".", 1)[-1]
    if name == "llm_decoder.weight":
        x = x * np.float32(4 / math.sqrt(shape[1]))
        first = shape[0] - MARKS
        end = x[first + 1] * np.float32(1.8)
        x[first:] *= np.float32(0.02)
        x[first + 1] = end
        return x
    if name.endswith("f0_predictor.classifier.weight"):
        return x * np.float32(160 / math.sqrt(shape[1]))
    if name.endswith("f0_predictor.classifier.bias"):
        return x * 0
    if name.endswith(EMBEDDINGS):
        return x
    if leaf in ("alpha", "original0"):
        return (1 + np.float32(0.1) * x) * (0.25 if name == CONV_POST else 1)
    if leaf == "bias":
        return x * np.float32(0.1)
    if len(shape) == 1:
        return 1 + np.float32(0.1) * x
    return x / np.float32(math.sqrt(math.prod(shape[1:])))


CONV_POST = "conv_post.parametrizations.weight.original0"


def synthetic(name: str, shape: tuple[int, ...]) -> Tensor:
    """The weights of the reference runs: a function of an entry's name and shape alone."""
    if name.endswith("inv_freq"):
        share = np.arange(shape[0], dtype=np.float32) / np.float32(shape[0])
        return torch.from_numpy((1.0 / 10_000**share).astype(np.float32))
    drawn = np.random.default_rng(zlib.crc32(name.encode()))
    values = scaled(name, drawn.standard_normal(size=shape, dtype=np.float32))
    return torch.from_numpy(values.astype(np.float32))


def synthetic_weights(shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Synthetic tensors for every entry of a checkpoint."""
    return {name: synthetic(name, shape) for name, shape in shapes.items()}


@cache
def speech_lm() -> SpeechLM:
    """The toy language model, through the real converter."""
    tensors = synthetic_weights(llm_shapes(REFERENCE))
    return speech_lm_from_cosyvoice(tensors, REFERENCE.head_dim)[0].eval()


@cache
def decoder() -> Decoder:
    """The toy decoder, through the real converter."""
    return decoder_from_cosyvoice3(synthetic_weights(flow_shapes(REFERENCE)))[0].eval()


@cache
def vocoder() -> Vocoder:
    """The toy vocoder, through the real converter."""
    return vocoder_from_cosyvoice(synthetic_weights(hift_shapes(REFERENCE)))


def vocoder_noise(seed: int, frames: int) -> Tensor:
    """The noise of the cases, which is not the published one."""
    generator = torch.Generator().manual_seed(seed)
    torch.rand(1, 9, generator=generator)
    return torch.rand(1, frames * HOP, 9, generator=generator).mT.contiguous()


def relative(ours: Tensor, theirs: Tensor) -> float:
    """Norm of the difference over the norm of theirs."""
    assert ours.shape == theirs.shape
    return float((ours.double() - theirs.double()).norm() / theirs.double().norm())
