"""CosyVoice 2 at toy size, as published and imported, and a prompt to listen to."""

import json
from pathlib import Path

import numpy as np
import soundfile
from cosyvoice2_graphs import write_graphs
from cosyvoice2_shapes import TOY
from write_cosyvoice2_folder import write_folder

from mamtra.interop.import_cosyvoice import import_cosyvoice2

PROMPT_WORDS = "These are the words of it."
# random weights never stop: short speech, one attempt
GUARD = {"min_per_text_token": 0.1, "max_per_text_token": 0.3, "spare_tokens": 2, "attempts": 1}


def write_toy_folder(folder: Path) -> Path:
    """Write CosyVoice 2's folder at toy size, with graphs that listen."""
    write_folder(folder, TOY)
    write_graphs(folder, TOY.codes)
    return folder


def write_toy_model(folder: Path, guard: dict[str, float] | None = None) -> Path:
    """Write CosyVoice 2's folder at toy size and import it; gives the imported folder."""
    published = write_toy_folder(folder / "published")
    import_cosyvoice2(published, folder / "toy")
    set_guard(folder / "toy", guard or GUARD)
    return folder / "toy"


def set_guard(folder: Path, guard: dict[str, float]) -> None:
    """Write limits of the generation into a folder's config."""
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"guard": guard}))


def write_prompt(path: Path, seconds: float = 1.6, rate_hz: int = 22_050) -> Path:
    """A buzz with syllables as a WAV file."""
    time = np.arange(round(seconds * rate_hz), dtype=np.float32) / rate_hz
    buzz = sum(np.sin(2 * np.pi * 120 * k * time) / k for k in range(1, 12))
    soundfile.write(path, 0.2 * buzz * (1.2 + np.sin(2 * np.pi * 4 * time)), rate_hz)
    return path
