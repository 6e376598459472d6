"""Reading weights: a part's one file, or its shards, which must be what their index says.

Strict over shards: each tensor lies in the shard that the index names, no shard holds another, and
no file of both forms may lie about, for then nobody knows which one counts. Nothing here needs
torch: tensors are read as numpy arrays, or as torch's where the caller asks for them.
"""

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError, safe_open

from mamtra.errors import CheckpointError, listed
from mamtra.files import read_json

INDEX = ".index.json"  # behind the name of the one file that there would be
INDEX_BYTES = 64 << 20  # the most that an index can have; one of 10,000 tensors has 1 MB
LFS = b"version https://git-lfs"  # how a pointer begins that stands where a large file should
FLOATS = ("F64", "F32", "F16", "BF16")  # safetensors' names of the floats that weights may have


def is_pointer(path: Path) -> bool:
    """Whether a file is Git LFS's stand-in for a large file that was not fetched."""
    with path.open("rb") as file:
        return file.read(len(LFS)) == LFS


def read_index(index: Path) -> dict[str, str]:
    """Which shard holds which tensor.

    Raises:
        CheckpointError: the index is damaged, or names a file outside its folder.
    """
    values = read_json(index, CheckpointError, INDEX_BYTES)
    names = values.get("weight_map") if isinstance(values, dict) else None
    if not isinstance(names, dict) or not all(isinstance(file, str) for file in names.values()):
        raise CheckpointError(
            f"{str(index)!r} is no index of shards: it has no weight_map from tensors to files; "
            f"fetch or write it again"
        )
    if outside := sorted({file for file in names.values() if not file or Path(file).name != file}):
        raise CheckpointError(
            f"{str(index)!r} names {listed([repr(file) for file in outside])}; shards must lie "
            f"beside their index"
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

    def kind(self, name: str) -> str:
        """Type of a tensor by safetensors' name, such as F16, from the header."""
        return str(self.files[name].get_slice(name).get_dtype())

    def tensor(self, name: str) -> Any:
        """Read a tensor: an array of numpy or of torch, as the part was opened.

        Raises:
            CheckpointError: a number is not finite; the file is damaged.
        """
        tensor = self.files[name].get_tensor(name)
        if self.kind(name) in FLOATS and 0 not in tensor.shape:
            # the least and the greatest are finite only if all are, and need no memory
            ends = float(tensor.min()), float(tensor.max())
            if not all(map(math.isfinite, ends)):
                raise CheckpointError(
                    f"tensor {name} holds numbers that are not finite; the file is damaged, "
                    f"fetch or make it again"
                )
        return tensor


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
def opened(path: Path, framework: Literal["pt", "numpy"] = "pt") -> Iterator[Weights]:
    """Open a part for reading; only headers are read at first.

    Args:
        path: of its one file; beside it lie the shards of one that is larger.
        framework: whose arrays are read: torch's, or numpy's, which knows no bfloat16.

    Raises:
        CheckpointError: a file is missing or damaged, or shards and index disagree.
    """
    with ExitStack() as stack:
        files: dict[str, Any] = {}
        found: dict[str, list[str]] = {}
        for part in weight_files(path):
            if part.exists() and not part.is_file():  # a pipe would be waited for
                raise CheckpointError(f"cannot read weights from {str(part)!r}: it is no file")
            try:
                file = stack.enter_context(safe_open(str(part), framework))
            except (OSError, RuntimeError, SafetensorError) as problem:  # torch has no class for it
                raise unreadable(part, problem) from problem
            found[part.name] = list(file.keys())
            files |= dict.fromkeys(found[part.name], file)
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
