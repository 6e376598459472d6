"""The types that weights have on disk, by the names they go by."""

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from mamtra.errors import CheckpointError, ConfigError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def dtype_named(name: str) -> torch.dtype:
    """The type that goes by a name.

    Raises:
        ConfigError: there is none.
    """
    if name not in DTYPES:
        raise ConfigError(f"dtype {name!r} is unknown; possible are {', '.join(DTYPES)}")
    return DTYPES[name]


def stored_dtype(path: Path) -> torch.dtype:
    """The type of the weights in a safetensors file, the widest if they differ.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    try:
        with safe_open(str(path), "pt") as file:
            kinds = {file.get_tensor(name).dtype for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as problem:
        raise CheckpointError(f"cannot read weights from {str(path)!r}: {problem}") from problem
    return next((kind for kind in DTYPES.values() if kind in kinds), torch.float32)
