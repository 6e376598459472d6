"""Modules and their weights on disk: fill a module from a model's folder, write one into it.

Every tensor is used and every weight is filled, by name, shape and kind of number; floats are
converted to the type that the module has.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from mamtra.checkpoints.check_state_dict import check_fit, shapes_of
from mamtra.checkpoints.format import ModelFolder
from mamtra.checkpoints.shards import FLOATS, Weights, opened
from mamtra.checkpoints.weights import KINDS, SHARD_BYTES, write_weights
from mamtra.errors import CheckpointError, listed
from mamtra.speech_lm.model import SpeechLM, SpeechLMConfig

Module = TypeVar("Module", bound=nn.Module)


def check_part(found: Weights, expected: Mapping[str, Tensor], path: Path) -> None:
    """Refuse an opened part that does not fit the weights of its module, by its headers alone.

    Raises:
        CheckpointError: names, shapes or kinds of number differ; all such are listed.
    """
    complaint = f"{str(path)!r} does not fit the model"
    check_fit({name: found.shape(name) for name in found}, shapes_of(expected), complaint)
    wrong = []
    for name, tensor in sorted(expected.items()):
        possible = FLOATS if tensor.is_floating_point() else (KINDS[tensor.dtype],)
        if found.kind(name) not in possible:
            wrong.append(f"{name} is {found.kind(name)} instead of {' or '.join(possible)}")
    if wrong:
        raise CheckpointError(f"{complaint}; of another type: {listed(wrong)}")


@torch.no_grad()
def load_part(module: nn.Module, path: Path) -> None:
    """Fill one part by name: every tensor is used, every weight is filled, one after the other.

    Raises:
        CheckpointError: the file and the module disagree; the message lists where.
    """
    with opened(path) as found:
        expected = module.state_dict()
        check_part(found, expected, path)
        for name, weight in expected.items():
            weight.copy_(found.tensor(name))


def fill(folder: ModelFolder, module: Module, part: str) -> Module:
    """Load the weights of a part of a model into its module, ready to be used.

    Raises:
        CheckpointError: they are missing, damaged or do not fit.
    """
    load_part(module, folder.part_file(part))
    module.eval().requires_grad_(False)
    return module


def open_language_model(folder: ModelFolder) -> SpeechLM:
    """The speech language model of a folder in float32, module by module as it was trained.

    Raises:
        ModelError: the folder has none, or its weights are missing, damaged or do not fit.
        ConfigError: its sizes cannot work.
    """
    return fill(folder, SpeechLM(folder.section("speech_lm", SpeechLMConfig)), "speech_lm")


def save_part(
    module: nn.Module,
    path: Path,
    dtype: torch.dtype = torch.float16,
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Write the weights of one part, floats rounded to ``dtype``; written beside and renamed.

    Args:
        module: the part.
        path: of its one file; beside it lie the shards of one that is larger.
        dtype: of the floats on disk.
        shard_bytes: largest size of a file.

    Raises:
        CheckpointError: a weight is not finite once rounded, or the file cannot be written.
    """
    write_weights(module.state_dict(), path, dtype, shard_bytes)
