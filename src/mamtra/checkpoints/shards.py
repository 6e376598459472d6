"""Reading weights back: a part's one file, or its shards, which must be what their index says.

Strict over shards: each tensor lies in the shard that the index names, no shard holds another, and
no file of both forms may lie about, for then nobody knows which one counts.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from mamtra.checkpoints.check_state_dict import check_fit, shapes_of
from mamtra.checkpoints.weights import INDEX, TYPES, listed
from mamtra.errors import CheckpointError

LFS = b"version https://git-lfs"  # how a pointer begins that stands where a large file should


def is_pointer(path: Path) -> bool:
    """Whether a file is Git LFS's stand-in for a large file that was not fetched."""
    with path.open("rb") as file:
        return file.read(len(LFS)) == LFS


def read_index(index: Path) -> dict[str, str]:
    """Which shard holds which tensor.

    Raises:
        CheckpointError: the index is damaged, or names a file outside its folder.
    """
    try:
        where = json.loads(index.read_text())["weight_map"]
        names = {str(name): str(file) for name, file in where.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        raise CheckpointError(
            f"{str(index)!r} is no index of shards ({problem!r}); fetch or write it again"
        ) from problem
    if outside := sorted({file for file in names.values() if Path(file).name != file}):
        raise CheckpointError(
            f"{str(index)!r} names {listed(outside)}; shards must lie beside their index"
        )
    return names


def weight_files(path: Path) -> list[Path]:
    """The files that hold a part's tensors; its one file where there are no shards.

    Raises:
        CheckpointError: the index is damaged, or one file and shards are both there.
    """
    index = path.with_name(path.name + INDEX)
    if not index.is_file():
        return [path]
    if path.exists():
        raise CheckpointError(
            f"{path.name} and {index.name} are both in {str(path.parent)!r}; "
            f"remove the one that is not wanted"
        )
    return [path.with_name(file) for file in sorted(set(read_index(index).values()))]


def all_files(path: Path) -> list[Path]:
    """The files of a part, its index included; what must be copied to copy the part."""
    index = path.with_name(path.name + INDEX)
    return [*weight_files(path), *([index] if index.is_file() else [])]


@dataclass(frozen=True, slots=True)
class Weights:
    """An opened part: what it holds, read when asked for."""

    files: dict[str, Any]  # the opened file of each tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self.files)

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a tensor, from the header."""
        return tuple(self.files[name].get_slice(name).get_shape())

    def dtype(self, name: str) -> torch.dtype | None:
        """Type of a tensor, from the header; None for one that we never write."""
        return TYPES.get(self.files[name].get_slice(name).get_dtype())

    def tensor(self, name: str) -> Tensor:
        """Read a tensor."""
        return self.files[name].get_tensor(name)


def check_index(path: Path, found: dict[str, list[str]]) -> None:
    """Refuse shards that differ from their index.

    Args:
        path: the one file that there would be.
        found: the tensors in each shard, by its name.

    Raises:
        CheckpointError: what differs is listed.
    """
    where = read_index(path.with_name(path.name + INDEX))
    wrong = [f"{name} is not in {file}" for name, file in where.items() if name not in found[file]]
    wrong += [
        f"{name} in {file} is not in the index"
        for file, names in found.items()
        for name in names
        if where.get(name) != file
    ]
    if wrong:
        raise CheckpointError(
            f"the shards of {str(path)!r} are not what their index says: {listed(sorted(wrong))}"
        )


@contextmanager
def opened(path: Path) -> Iterator[Weights]:
    """Open a part for reading; only headers are read at first.

    Raises:
        CheckpointError: a file is missing or damaged, or shards and index disagree.
    """
    with ExitStack() as stack:
        files: dict[str, Any] = {}
        found: dict[str, list[str]] = {}
        for place in weight_files(path):
            try:
                file = stack.enter_context(safe_open(str(place), "pt"))
            except (OSError, SafetensorError) as problem:
                raise unreadable(place, problem) from problem
            found[place.name] = list(file.keys())
            files |= dict.fromkeys(found[place.name], file)
        if list(found) != [path.name]:
            check_index(path, found)
        yield Weights(files)


def unreadable(path: Path, problem: Exception) -> CheckpointError:
    """The error for a file that is no safetensors file: why, and what to do."""
    reason = str(problem)
    if not path.exists():
        reason = "no such file"
    elif path.is_file() and is_pointer(path):
        reason = "it is a Git LFS pointer; run git lfs pull there, or fetch the file itself"
    return CheckpointError(f"cannot read weights from {str(path)!r}: {reason}")


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Every tensor of a part.

    Raises:
        CheckpointError: a file is missing or damaged, or shards and index disagree.
    """
    with opened(path) as weights:
        return {name: weights.tensor(name) for name in weights}


def check_part(given: Weights, wanted: Mapping[str, Tensor], path: Path) -> None:
    """Refuse an opened part that does not fit the weights of its module, by its headers alone.

    Raises:
        CheckpointError: names or shapes differ; all such are listed.
    """
    shapes = {name: given.shape(name) for name in given}
    check_fit(shapes, shapes_of(wanted), f"{str(path)!r} does not fit the model")


@torch.no_grad()
def load_part(module: nn.Module, path: Path) -> None:
    """Fill one part by name: every tensor is used, every weight is filled, one after the other.

    Raises:
        CheckpointError: the file and the module disagree; the message lists where.
    """
    with opened(path) as given:
        wanted = module.state_dict()
        check_part(given, wanted, path)
        for name, weight in wanted.items():
            weight.copy_(given.tensor(name))
