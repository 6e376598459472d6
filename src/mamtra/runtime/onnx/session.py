"""Opening a graph for the CPU: options, checks and errors in one place."""

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from mamtra.errors import ModelError
from mamtra.runtime.onnx.huge_pages import in_huge_pages

QUIET = 3  # onnxruntime's level "error": its warnings are about its own optimiser
WEIGHTS = "weights "  # before the name of a weight file, in a graph's notes
ROUNDED = "rounded from "  # before the name of a file whose weights were rounded and stored anew
SAMPLES, SAMPLE_BYTES = 64, 256  # of a file that tell whether its values are the same
PROVIDERS = ["CPUExecutionProvider"]
LARGE_BYTES = 64 << 20  # weights of this size do not fit into a processor's caches
SPINNING_MICROSECONDS = (
    2000  # outlasts the drawing of an id; left alone onnxruntime spins for 25 ms
)


def fingerprint(file: Path) -> str:
    """A short hash of a safetensors header: it changes when a tensor moves, not with its values."""
    with file.open("rb") as content:
        size = int.from_bytes(content.read(8), "little")
        return hashlib.sha256(content.read(size)).hexdigest()[:16]


def sampled(file: Path) -> str:
    """A short hash of places all over a file: it changes when a model is trained anew."""
    size, total = file.stat().st_size, hashlib.sha256()
    with file.open("rb") as content:
        for place in range(SAMPLES):
            content.seek(size * place // SAMPLES)
            total.update(content.read(SAMPLE_BYTES))
    return total.hexdigest()[:16]


def check_weights(path: Path, notes: Mapping[str, str]) -> None:
    """Refuse a graph whose weights are no longer those of its export: laid out, or rounded, anew.

    Raises:
        ModelError: a weight file is missing or was written anew.
    """
    bits = f" --bits {few[1]}" if (few := re.search(r"\.(\d)bit\.", path.name)) else ""
    for name, noted in notes.items():
        kind = next((kind for kind in (WEIGHTS, ROUNDED) if name.startswith(kind)), None)
        if kind is None:
            continue
        file = path.with_name(name.removeprefix(kind))
        try:
            found = fingerprint(file) if kind == WEIGHTS else sampled(file)
        except OSError as problem:
            raise ModelError(f"cannot read the weights of {str(path)!r}: {problem}") from problem
        if found != noted:
            raise ModelError(
                f"{str(path)!r} was made for other weights than those in {file.name}; "
                f"make it again with mamtra export {str(path.parent)!r} --to onnx{bits}"
            )


def weights_beside(path: Path) -> int:
    """Bytes of the largest file of weights in a graph's folder that has the name of its part."""
    files = path.parent.glob(f"{path.name.partition('.')[0]}*.safetensors")
    return max((file.stat().st_size for file in files), default=0)


def spinning(threads: int) -> dict[str, str]:
    """How a session's threads wait for work, by onnxruntime's names of settings.

    Spinning, they are there at once for the next operation and the next id. A session that spins on
    after its work takes a core from the one that follows: the next part of the chain has its own.
    """
    if threads == 1:
        return {"allow_spinning": "0"}
    return {"allow_spinning": "1", "spin_duration_us": str(SPINNING_MICROSECONDS)}


def open_session(path: Path, threads: int) -> Any:
    """A session for one graph.

    Args:
        path: of the graph.
        threads: that compute.

    Raises:
        ModelError: the file is missing or damaged, or does not belong to its weights.
    """
    if not path.is_file():
        raise ModelError(
            f"no {path.name} in {str(path.parent)!r}; make it with mamtra export "
            f"{str(path.parent)!r} --to onnx"
        )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = QUIET
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    for setting, value in spinning(threads).items():
        options.add_session_config_entry(f"session.intra_op.{setting}", value)
    try:
        with in_huge_pages() if weights_beside(path) >= LARGE_BYTES else nullcontext():
            session = onnxruntime.InferenceSession(str(path), options, providers=PROVIDERS)
    except Exception as broken:  # the runtime raises its own exceptions, which share no parent
        raise ModelError(
            f"cannot open {str(path)!r}; if its weights were written anew, make it again with "
            f"mamtra export {str(path.parent)!r} --to onnx ({broken})"
        ) from broken
    check_weights(path, notes_of(session))
    return session


def notes_of(session: Any) -> dict[str, str]:
    """The texts that a graph carries."""
    return session.get_modelmeta().custom_metadata_map


def sizes_of(session: Any, path: Path) -> dict[str, Any]:
    """The sizes that the exporter noted.

    Raises:
        ModelError: the graph is not one of ours.
    """
    try:
        return json.loads(notes_of(session)["sizes"])
    except (KeyError, ValueError) as problem:
        raise ModelError(f"{str(path)!r} is no graph that mamtra exported") from problem


def value_of(array: np.ndarray) -> Any:
    """An array for binding; it shares the array's memory."""
    return onnxruntime.OrtValue.ortvalue_from_numpy(array)
