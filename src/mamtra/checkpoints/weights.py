"""Weights on disk: one safetensors file, or several with an index beside them.

    speech_lm.safetensors                        a part in one file, or
    speech_lm-00001-of-00002.safetensors ...     its shards, and
    speech_lm.safetensors.index.json             which shard holds which tensor

Shards and index have the form that Hugging Face's libraries write. Tensors are written piece by
piece as they are converted, so that writing a model needs little memory beside the model.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mamtra.atomic import write_json, written_beside
from mamtra.checkpoints.shards import INDEX, opened
from mamtra.errors import CheckpointError

SHARD_BYTES = 2 * 1024**3  # larger parts are cut; some file systems and hosts balk at 4 GB
PIECE = 1 << 24  # numbers that are converted at once
KINDS = {  # safetensors' names of the types
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
TYPES = {name: kind for kind, name in KINDS.items()}


def kind_on_disk(tensor: Tensor, dtype: torch.dtype | None) -> torch.dtype:
    """The type a tensor is written in: ``dtype`` if it is a float, else its own."""
    return dtype if dtype is not None and tensor.is_floating_point() else tensor.dtype


def pieces(name: str, tensor: Tensor, dtype: torch.dtype | None) -> Iterator[Any]:
    """The bytes of a tensor, converted a few million numbers at a time.

    Raises:
        CheckpointError: a number is not finite once converted.
    """
    kind = kind_on_disk(tensor, dtype)
    for part in tensor.detach().reshape(-1).split(PIECE):
        kept = part.to("cpu", kind)
        if kept.is_floating_point() and not torch.isfinite(kept).all():
            raise CheckpointError(f"{name} holds values that {kind} cannot; nothing was written")
        yield kept.contiguous().view(torch.uint8).numpy()


def header_of(
    tensors: Mapping[str, Tensor], dtype: torch.dtype | None, notes: dict[str, str] | None
) -> tuple[bytes, list[str]]:
    """The beginning of a safetensors file, and the order of the tensors behind it."""
    kinds = {name: kind_on_disk(tensor, dtype) for name, tensor in tensors.items()}
    order = sorted(tensors, key=lambda name: (-kinds[name].itemsize, name))  # keeps them aligned
    entries: dict[str, Any] = {"__metadata__": notes} if notes else {}
    place = 0
    for name in order:
        end = place + tensors[name].numel() * kinds[name].itemsize
        entries[name] = {
            "dtype": KINDS[kinds[name]],
            "shape": list(tensors[name].shape),
            "data_offsets": [place, end],
        }
        place = end
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text, order


def write_tensors(
    tensors: Mapping[str, Tensor],
    path: Path,
    notes: dict[str, str] | None = None,
    dtype: torch.dtype | None = None,
) -> None:
    """Write a safetensors file beside its place and rename it.

    Args:
        tensors: by name; several may share their memory, each is written out.
        path: of the file.
        notes: texts that the file carries.
        dtype: floats are rounded to it; as they are where it is None.

    Raises:
        CheckpointError: a float is not finite once rounded.
    """
    with written_beside(path, CheckpointError) as beside, beside.open("wb") as file:
        header, order = header_of(tensors, dtype, notes)
        file.write(header)
        for name in order:
            for piece in pieces(name, tensors[name], dtype):
                file.write(piece)


def filled_shards(sizes: Mapping[str, int], limit: int) -> list[list[str]]:
    """Put tensors into shards of at most ``limit`` bytes, in their order; larger ones alone."""
    shards: list[list[str]] = [[]]
    held = 0
    for name, size in sizes.items():
        if shards[-1] and held + size > limit:
            shards.append([])
            held = 0
        shards[-1].append(name)
        held += size
    return shards


def write_weights(
    tensors: Mapping[str, Tensor],
    path: Path,
    dtype: torch.dtype | None = None,
    shard_bytes: int = SHARD_BYTES,
    notes: dict[str, str] | None = None,
) -> list[Path]:
    """Write tensors as one file, or as shards with an index where they are larger than that.

    What an earlier call wrote for the same part goes.

    Returns:
        The files that hold tensors.

    Raises:
        CheckpointError: a float is not finite once rounded; the last file is then not there.
    """
    sizes = {
        name: tensor.numel() * kind_on_disk(tensor, dtype).itemsize
        for name, tensor in tensors.items()
    }
    index, stem = path.with_name(path.name + INDEX), path.name.removesuffix(".safetensors")
    before = {path, index, *path.parent.glob(f"{stem}-[0-9]*-of-[0-9]*.safetensors")}
    shards = filled_shards(sizes, shard_bytes)
    files, count = [path], len(shards)
    if count > 1:
        ends = (f"{number:05}-of-{count:05}" for number in range(1, count + 1))
        files = [path.with_name(f"{stem}-{end}.safetensors") for end in ends]
    for file, names in zip(files, shards, strict=True):
        write_tensors({name: tensors[name] for name in names}, file, notes, dtype)
    kept = set(files)
    if len(shards) > 1:
        where = {n: file.name for file, names in zip(files, shards, strict=True) for n in names}
        values = {"metadata": {"total_size": sum(sizes.values())}, "weight_map": where}
        write_json(index, values, indent=2, error=CheckpointError)
        kept.add(index)
    for file in before - kept:
        file.unlink(missing_ok=True)
    return files


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Every tensor of a part.

    Raises:
        CheckpointError: a file is missing or damaged, or shards and index disagree.
    """
    with opened(path) as weights:
        return {name: weights.tensor(name) for name in weights}
