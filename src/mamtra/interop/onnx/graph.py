"""A small builder of ONNX graphs whose weights stay in safetensors files.

A weight is an external initializer that points into a safetensors file at its offset, in the type
that it has there, followed by a Cast to float32. Everything that depends on weights alone (casts,
concatenations, products) is folded by the runtime while it loads, so derived weights cost no space
on disk and no time in a step.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mamtra.errors import ModelError
from mamtra.runtime.onnx.session import WEIGHTS, fingerprint

MICROSOFT = "com.microsoft"
IR_VERSION = 10  # of the file format; the oldest that all operators used here allow
TYPES = {
    "F64": TensorProto.DOUBLE,
    "F32": TensorProto.FLOAT,
    "F16": TensorProto.FLOAT16,
    "BF16": TensorProto.BFLOAT16,
    "I64": TensorProto.INT64,
    "I32": TensorProto.INT32,
    "U8": TensorProto.UINT8,
}


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """Where a tensor lies: file, first byte, bytes, type and shape."""

    file: Path
    offset: int
    length: int
    kind: int
    shape: tuple[int, ...]


def header_of(file: Path) -> tuple[dict[str, Any], int]:
    """The header of a safetensors file, and where its data begins.

    Raises:
        ModelError: the file is missing or no safetensors file.
    """
    try:
        with file.open("rb") as content:
            size = int.from_bytes(content.read(8), "little")
            entries = json.loads(content.read(size))
    except (OSError, ValueError, OverflowError, MemoryError) as problem:
        raise ModelError(f"cannot read weights from {str(file)!r}: {problem}") from problem
    return entries, 8 + size


def stored_tensors(files: Sequence[Path]) -> dict[str, StoredTensor]:
    """Every tensor of a part's files by name.

    Raises:
        ModelError: a file is missing or damaged, or a type is not one that graphs can use.
    """
    found = {}
    for file in files:
        entries, start = header_of(file)
        entries.pop("__metadata__", None)
        for name, entry in entries.items():
            if entry["dtype"] not in TYPES:
                raise ModelError(f"{name} in {str(file)!r} has type {entry['dtype']}, not a float")
            first, last = entry["data_offsets"]
            found[name] = StoredTensor(
                file, start + first, last - first, TYPES[entry["dtype"]], tuple(entry["shape"])
            )
    return found


@dataclass(slots=True)
class Graph:
    """Nodes, weights and ends of one graph, in the order in which they are added.

    Attributes:
        stored: tensors that ``weight`` may use, by name.
        opset: version of the standard operators.
    """

    stored: dict[str, StoredTensor]
    opset: int
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: dict[str, TensorProto] = field(default_factory=dict)
    floats: dict[str, str] = field(default_factory=dict)
    files: set[Path] = field(default_factory=set)
    inputs: list[onnx.ValueInfoProto] = field(default_factory=list)
    outputs: list[onnx.ValueInfoProto] = field(default_factory=list)

    def add(
        self,
        kind: str,
        inputs: Sequence[str],
        outputs: int = 1,
        domain: str = "",
        **attributes: Any,
    ) -> Any:
        """Add a node; gives the name of its output, or a list of names where there are several."""
        names = [f"{kind.lower()}_{len(self.nodes)}_{index}" for index in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, domain=domain, **attributes))
        return names[0] if outputs == 1 else names

    def add_to(self, outputs: Sequence[str], kind: str, inputs: Sequence[str], **more: Any) -> None:
        """Add a node whose outputs have names of the caller's."""
        self.nodes.append(helper.make_node(kind, inputs, outputs, **more))

    def constant(self, values: Any, dtype: Any = None) -> str:
        """A small array that lies in the graph itself; equal ones are kept once."""
        array = np.asarray(values, dtype)
        digest = hashlib.sha256(array.tobytes()).hexdigest()[:12]
        name = f"constant_{array.dtype}_{'x'.join(map(str, array.shape))}_{digest}"
        self.initializers.setdefault(name, numpy_helper.from_array(array, name))
        return name

    def shape(self, *sizes: int) -> str:
        """The constant for a Reshape."""
        return self.constant(sizes, np.int64)

    def raw(self, name: str) -> str:
        """A stored tensor in the type that it has on disk."""
        if name not in self.initializers:
            where = self.stored[name]
            tensor = TensorProto(name=name, data_type=where.kind, dims=where.shape)
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in (
                ("location", where.file.name),
                ("offset", where.offset),
                ("length", where.length),
            ):
                tensor.external_data.add(key=key, value=str(value))
            self.initializers[name] = tensor
            self.files.add(where.file)
        return name

    def weight(self, name: str) -> str:
        """A stored tensor in float32."""
        if self.stored[name].kind == TensorProto.FLOAT:
            return self.raw(name)
        if name not in self.floats:
            self.floats[name] = self.add("Cast", [self.raw(name)], to=TensorProto.FLOAT)
        return self.floats[name]

    def size(self, name: str) -> tuple[int, ...]:
        """Shape of a stored tensor."""
        return self.stored[name].shape

    def model(self, notes: dict[str, str]) -> onnx.ModelProto:
        """The finished model.

        Args:
            notes: texts that it carries, beside the fingerprints of its weight files.
        """
        domains = {"": self.opset} | {
            node.domain: 1 for node in self.nodes if node.domain == MICROSOFT
        }
        graph = helper.make_graph(
            self.nodes, "mamtra", self.inputs, self.outputs, list(self.initializers.values())
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid(name, version) for name, version in domains.items()],
            ir_version=IR_VERSION,
            producer_name="mamtra",
        )
        prints = {f"{WEIGHTS}{file.name}": fingerprint(file) for file in sorted(self.files)}
        helper.set_model_props(model, notes | prints)
        return model
