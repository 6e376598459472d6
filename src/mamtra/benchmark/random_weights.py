"""Modules of any size with random weights, made quickly: speed and memory need no trained ones.

PyTorch would draw the weights of a large model slowly and in float32. Here a module gets memory in
its final type and is filled once, each matrix with numbers small enough that nothing overflows.
Random numbers and not zeros, because a processor may multiply zeros faster and an operating system
may not even store them.

Memory must be measured of a model that was loaded as users load theirs: from a folder. A process of
its own makes such a folder, so that nothing of the making stays in the one that is measured:
``python -m mamtra.benchmark.random_weights CONFIG FOLDER PARTS``.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from mamtra.acoustic.decoder import Decoder
from mamtra.acoustic.vocoder import Vocoder
from mamtra.backbone.mixers.recurrent import Recurrent
from mamtra.benchmark.decode.config import BITS, ONNX, OWN, BenchConfig, read_config
from mamtra.benchmark.process import answer, run_python
from mamtra.checkpoints.format import ModelConfig, ModelFolder, write_config
from mamtra.checkpoints.modules import save_part
from mamtra.checkpoints.skip_init import skip_init
from mamtra.sizing.sizes import model_sizes, shaped
from mamtra.speech_lm import SpeechLM

STORED = torch.bfloat16  # half the bytes of float32, as models are published
BLOCK = 1_000_003  # numbers drawn at once; a prime, so that no two rows of a matrix are alike

Module = TypeVar("Module", bound=nn.Module)


@torch.no_grad()
def fill_randomly(tensor: Tensor) -> None:
    """Numbers around 0 for a matrix, scaled by its width; ones for a vector.

    A large matrix repeats one block: drawing half a billion numbers would take longer than what is
    to be measured.
    """
    if tensor.dim() < 2:
        tensor.fill_(1.0)
        return
    reach = tensor[0].numel() ** -0.5
    flat = tensor.view(-1)
    block = torch.empty_like(flat[:BLOCK]).uniform_(-reach, reach)
    for part in flat.split(BLOCK):
        part.copy_(block[: len(part)])


def with_random_weights(
    build: Callable[[], Module],
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
    seed: int = 0,
) -> Module:
    """Build a module and fill its weights.

    Args:
        build: makes the module.
        dtype: of the weights.
        device: where they are.
        seed: of the weights; the global generator is used.
    """
    torch.manual_seed(seed)
    with skip_init(device, dtype):
        module = build()
    for parameter in module.parameters():
        fill_randomly(parameter)
    for part in module.modules():
        if isinstance(part, Recurrent):
            part.start()  # decays of a state must be what they are in a real model
    return module.eval().requires_grad_(False)


def write_folder(config: BenchConfig, folder: Path) -> None:
    """Write the speech language model of a config, and its graph where that is to run.

    Raises:
        ConfigError: its shape does not fit.
    """
    sizes = shaped(model_sizes(config.model), None if config.target == OWN else config.target)
    model = with_random_weights(lambda: SpeechLM(sizes.speech_lm), STORED, seed=config.seed)
    write_config(folder, ModelConfig(name="random", speech_lm=asdict(sizes.speech_lm)))
    save_part(model, folder / "speech_lm.safetensors", STORED)
    if config.engine == ONNX:
        from mamtra.interop.onnx.export import OnnxExport, export_onnx

        export_onnx(ModelFolder(folder), OnnxExport(bits=BITS[config.dtype]))


def write_acoustics(config: BenchConfig, folder: Path) -> None:
    """Write the decoder and the vocoder of a config in float32, and their graphs."""
    sizes = model_sizes(config.model)
    assert sizes.decoder is not None
    assert sizes.vocoder is not None
    decoder, vocoder = sizes.decoder, sizes.vocoder
    values = ModelConfig(name="random", decoder=asdict(decoder), vocoder=asdict(vocoder))
    write_config(folder, values)
    build = {"decoder": lambda: Decoder(decoder), "vocoder": lambda: Vocoder(vocoder)}
    for name, part in build.items():
        made = with_random_weights(part, seed=config.seed)
        save_part(made, folder / f"{name}.safetensors", torch.float32)
    from mamtra.interop.onnx.export import OnnxExport, export_onnx

    export_onnx(ModelFolder(folder), OnnxExport())


WRITERS = {"speech_lm": write_folder, "acoustics": write_acoustics}


@contextmanager
def random_folder(config: BenchConfig, parts: str = "speech_lm") -> Iterator[ModelFolder]:
    """The folder, for as long as the ``with`` block runs.

    Args:
        config: whose sizes.
        parts: ``speech_lm`` or ``acoustics``.

    Raises:
        GenerationError: it could not be written.
    """
    with tempfile.TemporaryDirectory() as place:
        run_python(["-m", "mamtra.benchmark.random_weights", config.written(), place, parts])
        yield ModelFolder(Path(place))


if __name__ == "__main__":
    answer(
        lambda config, folder, parts: WRITERS[parts](read_config(config), Path(folder)),
        *sys.argv[1:],
    )
