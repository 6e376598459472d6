"""Weights of judges that are torch modules: checked, read without unpickling, loaded strictly."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mamtra.errors import ModelError, listed
from mamtra.files import file_sha256
from mamtra.interop.pickles import complaint


def checked_file(path: Path, sha256: str, what: str) -> Path:
    """A file with exactly this content.

    Raises:
        ModelError: it is not there, or another one.
    """
    if wrong := complaint(path):
        raise ModelError(f"cannot read {what} from {str(path)!r}: {wrong}")
    if (found := file_sha256(path)) != sha256:
        raise ModelError(
            f"{str(path)!r} has the checksum {found[:12]}..., not {sha256[:12]}... of {what}; "
            f"figures of other weights would not be comparable; fetch it again"
        )
    return path


def tensors_of(path: Path, key: str | None = None) -> dict[str, Tensor]:
    """The tensors of a PyTorch file, or those under one of its keys; nothing else is unpickled.

    Raises:
        ModelError: it holds something else.
    """
    try:
        entries = torch.load(path, map_location="cpu", weights_only=True)
        found = entries if key is None else entries[key]
        return {str(name): value for name, value in found.items() if isinstance(value, Tensor)}
    except Exception as problem:  # a damaged pickle may fail in any way
        raise ModelError(f"cannot read tensors from {str(path)!r}: {problem}") from problem


def fill(module: torch.nn.Module, tensors: Mapping[str, Tensor], spare: tuple[str, ...]) -> Any:
    """Load tensors into a module strictly, but for names that a part of it does not need.

    Raises:
        ModelError: tensors are missing, left over, or of another shape; all are listed.
    """
    used = {name: value for name, value in tensors.items() if not name.startswith(spare)}
    wanted = module.state_dict()
    wrong = [f"missing: {name}" for name in wanted if name not in used]
    wrong += [f"unknown: {name}" for name in used if name not in wanted]
    wrong += [
        f"{name}: {tuple(used[name].shape)} instead of {tuple(value.shape)}"
        for name, value in wanted.items()
        if name in used and used[name].shape != value.shape
    ]
    if wrong:
        raise ModelError(f"the weights do not fit {type(module).__name__}: {listed(wrong)}")
    module.load_state_dict(used)
    return module.eval().requires_grad_(False)
