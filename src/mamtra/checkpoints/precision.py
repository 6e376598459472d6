"""The types that weights have on disk, by the names they go by."""

from pathlib import Path

import torch

from mamtra.checkpoints.shards import opened
from mamtra.checkpoints.weights import TYPES
from mamtra.errors import ConfigError

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
    """The type of a part's weights on disk, the widest if they differ; only headers are read.

    Raises:
        CheckpointError: a file is missing or damaged.
    """
    with opened(path) as weights:
        kinds = {TYPES.get(weights.kind(name)) for name in weights}
    return next((kind for kind in DTYPES.values() if kind in kinds), torch.float32)
