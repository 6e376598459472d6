"""A speech language model as a folder that other engines run: a stock Granite hybrid.

What becomes of each tensor is in ``granite.py``; here the folder is written, and beside the model
what other engines must be told: the ids, the bias of the head, the ids that are never spoken.
"""

import json
from pathlib import Path

import torch

from mamtra.checkpoints.card import CARD, front_matter, origin
from mamtra.checkpoints.format import CONFIG, ModelFolder
from mamtra.checkpoints.modules import open_language_model
from mamtra.checkpoints.new_folder import check_vacant, new_folder
from mamtra.checkpoints.precision import stored_dtype
from mamtra.checkpoints.weights import write_weights
from mamtra.errors import ModelError
from mamtra.interop.granite import ends_of, granite_config, granite_tensors, id_table, obstacles
from mamtra.speech_lm import SpeechLMConfig


def card(student: ModelFolder) -> str:
    """The model card: what the folder holds and what its head lacks."""
    tags = ["text-to-speech", "mamtra", "granitemoehybrid"]
    front = origin(student.folder) | {"library_name": "transformers", "tags": tags}
    return f"""{front_matter(front)}# The speech language model of {student.config.name}

A stock `GraniteMoeHybridForCausalLM`, written by `mamtra export`. It reads text ids and writes
speech ids (`ids.json`); to hear them, give them to the decoder of {student.config.name}. The head's
bias is in `head_bias.json` and must be added by the engine: transformers' `generate` does so by
itself, see mamtra's docs/convert.md for others.
"""


def export_granite(student: ModelFolder, target: Path, dtype: torch.dtype | None = None) -> None:
    """Write the language model of a folder as a stock Granite folder.

    Args:
        student: the folder; any layout, all attention included.
        target: the new folder.
        dtype: of the weights; that of the student's file where it is None.

    Raises:
        ModelError: the target is taken, or Granite cannot express the model; all reasons are told.
    """
    check_vacant(target)
    config = student.section("speech_lm", SpeechLMConfig)
    if reasons := obstacles(config.backbone):
        raise ModelError(
            f"{student.config.name!r} cannot be written as Granite: {'; '.join(reasons)}; "
            f"convert its teacher again into Mamba layers of --form portable or parity"
        )
    model = open_language_model(student)
    dtype = dtype or stored_dtype(student.part_file("speech_lm"))
    bias, ids = model.head.bias.float().tolist(), config.vocabulary
    tensors = granite_tensors(model)
    rows = len(tensors["lm_head.weight"])
    values = {
        CONFIG: granite_config(config, dtype),
        "generation_config.json": {
            "eos_token_id": ends_of(ids),
            "pad_token_id": ids.unused[0],
            "sequence_bias": [[[index], value] for index, value in enumerate(bias)],
            "suppress_tokens": [
                index for index in range(ids.codes, rows) if index not in ids.stops
            ],
        },
        "head_bias.json": bias,
        "ids.json": id_table(config),
    }
    with new_folder(target) as folder:
        for name, value in values.items():
            (folder / name).write_text(json.dumps(value) + "\n", encoding="utf-8")
        (folder / CARD).write_text(card(student), encoding="utf-8")
        write_weights(tensors, folder / "model.safetensors", dtype, notes={"format": "pt"})
