"""Tiny ONNX graphs with the inputs and outputs of CosyVoice 2's, by the package onnx."""

from pathlib import Path
from typing import Any

import numpy as np
from cosyvoice2_shapes import BINS, SPEAKER

LISTENING_BINS = 128
OPSET, IR_VERSION = 17, 8  # old enough for every onnxruntime of the last years


def save_graph(
    path: Path, nodes: list[Any], ends: dict[str, tuple[Any, Any]], constants: dict[str, Any]
) -> None:
    """Write a graph; of its ends, by name with type and shape, the last is its output."""
    from onnx import helper, numpy_helper, save

    places = [helper.make_tensor_value_info(name, *end) for name, end in ends.items()]
    held = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, path.stem, places[:-1], places[-1:], held)
    opset = helper.make_opsetid("", OPSET)
    save(helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION), path)


def write_speech_tokenizer(path: Path, codes: int) -> None:
    """A graph with the signature of speech_tokenizer_v2.onnx: every fourth frame names a token."""
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("Transpose", ["feats"], ["frames"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["frames", "mix"], ["mixed"]),
        helper.make_node("Transpose", ["mixed"], ["channel"], perm=[0, 2, 1]),
        helper.make_node("MaxPool", ["channel"], ["pooled"], kernel_shape=[4], strides=[4]),
        helper.make_node("Mul", ["pooled", "spread"], ["large"]),
        helper.make_node("Cast", ["large"], ["whole"], to=TensorProto.INT64),
        helper.make_node("Mod", ["whole", "codes"], ["inside"]),
        helper.make_node("Reshape", ["inside", "row"], ["flat"]),
        helper.make_node("Cast", ["flat"], ["indices"], to=TensorProto.INT32),
    ]
    ends = {
        "feats": (TensorProto.FLOAT, [1, LISTENING_BINS, "t"]),
        "feats_length": (TensorProto.INT32, [1]),
        "indices": (TensorProto.INT32, [1, "tokens"]),
    }
    mix = np.random.default_rng(0).standard_normal((LISTENING_BINS, 1)).astype(np.float32)
    constants = {"mix": mix, "spread": np.float32([1000]), "codes": np.int64([codes])}
    save_graph(path, nodes, ends, constants | {"row": np.int64([1, -1])})


def write_speaker_model(path: Path) -> None:
    """A graph with the signature of campplus.onnx: what each bin does on average, mixed."""
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("Abs", ["input"], ["size"]),
        helper.make_node("ReduceMean", ["size"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["mean", "mix"], ["output"]),
    ]
    ends = {
        "input": (TensorProto.FLOAT, [1, "t", BINS]),
        "output": (TensorProto.FLOAT, [1, SPEAKER]),
    }
    mix = np.random.default_rng(1).standard_normal((BINS, SPEAKER)).astype(np.float32)
    save_graph(path, nodes, ends, {"mix": mix})


def write_graphs(folder: Path, codes: int) -> None:
    """Write both ONNX files; the tokenizer names one of so many codes."""
    write_speech_tokenizer(folder / "speech_tokenizer_v2.onnx", codes)
    write_speaker_model(folder / "campplus.onnx")
