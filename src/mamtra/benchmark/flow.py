"""What a decoder with a flow costs in each form, and how far its mel features are from float32.

    onnx float32      onnxruntime; what the others are compared with
    onnx bfloat16     the flow's steps by OpenVINO, where the processor has instructions for it
    torch float32, torch bfloat16
    N steps           onnx float32 with fewer Euler steps

Weights are random: cost does not depend on them, errors hardly do, but for fewer steps, whose error
belongs to what a model has learnt.
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mamtra.acoustic.decoder import Decoder
from mamtra.benchmark.decode.chain import spoken_voice
from mamtra.benchmark.process import Stopwatch
from mamtra.benchmark.random_weights import with_random_weights
from mamtra.checkpoints.format import ModelConfig, ModelFolder, write_config
from mamtra.checkpoints.modules import save_part
from mamtra.errors import ConfigError, require
from mamtra.runtime.onnx.bfloat16 import missing_for_bfloat16
from mamtra.runtime.onnx.decoder import OnnxDecoder
from mamtra.runtime.protocols import Decoder as AnyDecoder
from mamtra.runtime.torch.acoustics import TorchDecoder
from mamtra.runtime.torch.open import open_part
from mamtra.sizing.sizes import TOKENS_PER_SECOND, model_sizes
from mamtra.synthesis.acoustics import flow_noise

Open = Callable[[], AnyDecoder]


def write_decoder(model: str, folder: Path, seed: int) -> None:
    """A folder with a decoder of random weights and its graphs.

    Raises:
        ConfigError: the model has no decoder with a flow.
        MissingExtraError: the package onnx is not installed.
    """
    require("onnx", "onnx")
    from mamtra.interop.onnx.export import FolderExport, OnnxExport, write_graph

    config = model_sizes(model).decoder
    if config is None or not config.steps:
        raise ConfigError(f"the model {model!r} has no decoder with a flow; take cosyvoice2")
    write_config(folder, ModelConfig(name="random", decoder=asdict(config)))
    module = with_random_weights(lambda: Decoder(config), seed=seed)
    save_part(module, folder / "decoder.safetensors", torch.float32)
    for name, graph in FolderExport(ModelFolder(folder), OnnxExport()).decoder().items():
        write_graph(graph, folder / name)


def forms(folder: Path, threads: int, few: int) -> Iterator[tuple[str, Open]]:
    """Every form that this machine can run, the one to compare with first."""
    path = folder / "decoder.onnx"
    yield "onnx float32", lambda: OnnxDecoder(path, threads)
    if missing_for_bfloat16() is None:
        yield "onnx bfloat16", lambda: OnnxDecoder(path, threads, flow_dtype="bfloat16")
    for dtype in (torch.float32, torch.bfloat16):
        name = f"torch {str(dtype).removeprefix('torch.')}"

        def open_module(dtype: torch.dtype = dtype) -> AnyDecoder:
            part: Any = open_part(ModelFolder(folder), "decoder", dtypes=dtype)
            return TorchDecoder(part)

        yield name, open_module
    yield f"onnx float32, {few} steps", lambda: OnnxDecoder(path, threads, few)


def measure(
    model: str, seconds: float, prompt_seconds: float, threads: int, few: int, seed: int
) -> dict[str, dict[str, Any]]:
    """Every form after one short pass to warm up; seconds, and the error of its mel features.

    Raises:
        ConfigError: the model has no flow.
    """
    torch.set_num_threads(threads)
    results: dict[str, dict[str, Any]] = {}
    exact: np.ndarray | None = None
    with tempfile.TemporaryDirectory() as place:
        write_decoder(model, Path(place), seed)
        for name, opened in forms(Path(place), threads, few):
            decoder = opened()
            voice, noise = spoken_voice(decoder.sizes, prompt_seconds), flow_noise(decoder.sizes)
            count = max(1, round(seconds * TOKENS_PER_SECOND))
            tokens = [number * 5 % decoder.sizes.codes for number in range(count)]
            decoder.decode(tokens[:2], spoken_voice(decoder.sizes, 0.2), noise)
            watch = Stopwatch()
            mel = decoder.decode(tokens, voice, noise)
            took = watch.lap()
            exact = mel if exact is None else exact
            results[name] = {
                **took,
                "cpu_seconds_per_second_of_speech": took["cpu_seconds"] * TOKENS_PER_SECOND / count,
                "relative_error": float(np.linalg.norm(mel - exact) / np.linalg.norm(exact)),
            }
            del decoder
    return results
