"""Write a CosyVoice 3 folder of random weights, with the published names and shapes.

As ``write_cosyvoice2_folder.py``: ``python tests/tools/write_cosyvoice3_folder.py FOLDER [--toy]``
(full: 3.5 GB, and 2 GB more with ``--rl``).
"""

import argparse
import json
from pathlib import Path

import torch
from cosyvoice2_graphs import write_graphs
from cosyvoice3_shapes import FULL, TOY, Sizes, flow_shapes, hift_shapes, llm_shapes
from write_cosyvoice2_folder import VOCABULARY, byte_letters, entries

HEAD, SPEECH_GAIN, MARK_GAIN = "llm_decoder.weight", 8.0, 0.02


def write_folder(folder: Path, size: Sizes, reinforced: bool = False) -> Path:
    """Write the folder, its graphs included; the vocabulary is that of bytes."""
    (folder / VOCABULARY).mkdir(parents=True)
    files = {"llm": llm_shapes(size), "flow": flow_shapes(size), "hift": hift_shapes(size)}
    if reinforced:
        files["llm.rl"] = files["llm"]
    for seed, (name, shapes) in enumerate(files.items()):
        found = entries(shapes, seed)
        if HEAD in found:  # marks, most of a toy's ids, hardly ever come in a trained model
            found[HEAD][: size.codes] *= SPEECH_GAIN
            found[HEAD][size.codes :] *= MARK_GAIN
        torch.save(found, folder / f"{name}.pt")
    letters = {letter: index for index, letter in enumerate(byte_letters())}
    (folder / VOCABULARY / "vocab.json").write_text(json.dumps(letters), encoding="utf-8")
    (folder / VOCABULARY / "merges.txt").write_text("#version: 0.2\n")
    write_graphs(folder, size.codes)
    (folder / "speech_tokenizer_v2.onnx").rename(folder / "speech_tokenizer_v3.onnx")
    return folder


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--toy", action="store_true", help="a few thousand weights instead")
    parser.add_argument("--rl", action="store_true", help="llm.rl.pt as well")
    wanted = parser.parse_args()
    write_folder(wanted.folder, TOY if wanted.toy else FULL, wanted.rl)
