"""A short name for what a model says, wherever it lies: its sizes, options, words and weights.

Voices are not in it, as they come and go; nor is how a model is run.
"""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from mamtra.checkpoints.format import ModelFolder
from mamtra.errors import ModelError
from mamtra.files import file_sha256

SPOKEN_BY = ("speech_lm", "decoder", "vocoder", "proofreader")
WORDS = "pronunciations"  # in the section text
PLACE = "parts_from"
DIGITS = 16


def spoken_files(model: ModelFolder) -> list[Path]:
    """The files that decide what a model says, besides its config and voices."""
    files = [file for part in SPOKEN_BY if model.holds(part) for file in model.part_files(part)]
    if model.holds("text"):
        holder = model.holder("text")
        if name := (holder.config.text or {}).get(WORDS):
            files.append(holder.folder / name)
    return [file for file in files if file.is_file()]


def speaking_digest(folder: Path) -> str:
    """The digest of a folder; reads the weights of all parts that speak, a donor's too.

    Raises:
        ModelError: it is no model, or a file cannot be read.
        ConfigError: its ``config.json`` holds an unknown key or another format.
    """
    model = ModelFolder(folder)
    configs = [
        {name: value for name, value in asdict(one.config).items() if value and name != PLACE}
        for one in (model, model.donor)
        if one is not None
    ]
    try:
        sums = [file_sha256(file) for file in spoken_files(model)]
    except OSError as problem:
        raise ModelError(f"cannot read the weights of {str(folder)!r}: {problem}") from problem
    told = json.dumps([configs, sums], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:DIGITS]
