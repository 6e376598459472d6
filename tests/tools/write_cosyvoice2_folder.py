"""Write a CosyVoice 2 folder of random weights, with the published names and shapes.

For tests at toy size, and at full size to measure memory and speed where the weights cannot be
fetched: ``python tests/tools/write_cosyvoice2_folder.py FOLDER [--toy]`` (full: 2.6 GB). With the
package onnx, the two ONNX files are written too. The vocabulary is that of the 256 bytes, so text
has about four times as many ids as Qwen's would give it.
"""

import argparse
import json
import math
from pathlib import Path

import torch
from cosyvoice2_graphs import write_graphs
from cosyvoice2_shapes import FULL, TOY, Shapes, Sizes, flow_shapes, hift_shapes, llm_shapes
from torch import Tensor

VOCABULARY = "CosyVoice-BlankEN"


def drawn(name: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Random weights of a sensible size: gains near 1, biases small, the rest by fan-in."""
    leaf = name.rpartition(".")[2]
    weights = torch.randn(shape, generator=generator)
    if leaf in ("bias", "pos_bias_u", "pos_bias_v"):
        return weights.mul_(0.1)
    if leaf in ("alpha", "original0") or len(shape) == 1:
        return weights.mul_(0.1).add_(1.0)
    return weights.mul_(1 / math.sqrt(math.prod(shape[1:])))


def entries(shapes: Shapes, seed: int = 0) -> dict[str, Tensor]:
    """Random tensors of these shapes; the text head is the text embedding, as published."""
    generator = torch.Generator().manual_seed(seed)
    head, embedding = "llm.model.lm_head.weight", "llm.model.model.embed_tokens.weight"
    found = {n: drawn(n, shape, generator) for n, shape in shapes.items() if n != head}
    return found | ({head: found[embedding]} if head in shapes else {})


def byte_letters() -> list[str]:
    """The characters that stand for the 256 bytes: printable ones for themselves."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = len([byte for byte in range(256) if byte not in printable])
    return [chr(byte) for byte in printable] + [chr(256 + index) for index in range(hidden)]


def write_folder(folder: Path, size: Sizes, onnx: bool = False) -> Path:
    """Write the folder; ONNX files are empty stand-ins, the vocabulary is that of bytes."""
    (folder / VOCABULARY).mkdir(parents=True)
    for name, shapes in (("llm", llm_shapes), ("flow", flow_shapes), ("hift", hift_shapes)):
        torch.save(entries(shapes(size)), folder / f"{name}.pt")
    letters = {letter: index for index, letter in enumerate(byte_letters())}
    (folder / VOCABULARY / "vocab.json").write_text(json.dumps(letters), encoding="utf-8")
    (folder / VOCABULARY / "merges.txt").write_text("#version: 0.2\n")
    for name in ("campplus", "speech_tokenizer_v2") if onnx else ():
        (folder / f"{name}.onnx").write_bytes(b"stand-in")
    return folder


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--toy", action="store_true", help="a few thousand weights instead")
    wanted = parser.parse_args()
    chosen = TOY if wanted.toy else FULL
    write_folder(wanted.folder, chosen)
    write_graphs(wanted.folder, chosen.codes)
