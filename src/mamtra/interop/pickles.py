"""Reading the checkpoints that others publish: PyTorch files, of which only tensors are unpickled.

What is most often wrong with such a file is told in one sentence: it is not there, it is a Git LFS
pointer, a web page, a download cut short, a file of another kind, or it holds more than tensors.
"""

import zipfile
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from mamtra.errors import CheckpointError, listed
from mamtra.interop.stand_ins import HEAD_BYTES, told_by

COUNTERS = ("epoch", "step")  # numbers that training checkpoints carry beside their tensors
ZIP, PICKLE = b"PK\x03\x04", b"\x80"  # how PyTorch's files begin, since 1.6 and before


def complaint(path: Path) -> str | None:
    """What is wrong with a file at first sight; None if it begins as PyTorch's files do."""
    if path.is_dir():
        return "it is a folder; give the file"
    if not path.is_file():
        return "there is no such file"
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as problem:
        return f"{str(problem.strerror).lower()}; make it readable, or fetch it again"
    if told := told_by(head):
        return told
    if head.startswith(ZIP):
        whole = zipfile.is_zipfile(path)
        return None if whole else "it is cut short, the download did not finish; fetch it again"
    if head.startswith(PICKLE):
        return None
    if head[8:9] == b"{":
        return "it is a safetensors file, not one of PyTorch's; give the .pt file as published"
    return "it is not one of PyTorch's files; fetch it again"


def first_line(problem: Exception) -> str:
    """The first sentence of a long complaint."""
    return str(problem).strip().partition("\n")[0].partition(". ")[0].rstrip(".")


def damaged_entry(path: Path) -> str | None:
    """What is wrong with the checksums of a zip file's entries; None if all are right."""
    try:
        with zipfile.ZipFile(path) as archive:
            name = archive.testzip()
    except Exception as problem:  # a damaged directory may fail in any way
        return first_line(problem) or type(problem).__name__
    return None if name is None else f"the checksum of {name} is wrong"


def is_plain(value: Any) -> bool:
    """Whether an entry is a tensor whose numbers lie there one after the other."""
    return isinstance(value, Tensor) and value.layout is torch.strided


def read_entries(path: Path) -> dict[str, Any]:
    """The entries of a checkpoint; tensors stay mapped to the file until they are used.

    Raises:
        CheckpointError: the file cannot be read, or is no dict of named tensors.
    """
    if told := complaint(path):
        raise CheckpointError(f"cannot read weights from {str(path)!r}: {told}")
    mapped = zipfile.is_zipfile(path)  # older files cannot be mapped, and carry no checksums
    if mapped and (wrong := damaged_entry(path)):
        raise CheckpointError(
            f"cannot read weights from {str(path)!r}: it is damaged ({wrong}); fetch it again"
        )
    try:
        entries = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except UnpicklingError as problem:
        raise CheckpointError(
            f"cannot read weights from {str(path)!r}: it is damaged, or holds more than tensors, "
            f"which is refused because a pickle may run any code ({first_line(problem)})"
        ) from problem
    except Exception as problem:  # a damaged pickle may fail in any way
        raise CheckpointError(
            f"cannot read weights from {str(path)!r}: it is damaged ({first_line(problem)}); "
            f"fetch it again"
        ) from problem
    if not isinstance(entries, dict):
        raise CheckpointError(f"{str(path)!r} holds a {type(entries).__name__}, not named tensors")
    others = [
        str(name)
        for name, value in entries.items()
        if not isinstance(name, str) or not (is_plain(value) or name in COUNTERS)
    ]
    if others:
        raise CheckpointError(
            f"{str(path)!r} holds entries that are no named, dense tensors: {listed(others)}; "
            f"give the plain state dict, as published"
        )
    return entries
