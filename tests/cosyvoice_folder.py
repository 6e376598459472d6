"""CosyVoice 2 at toy size: the tool in tests/tools as a module, and a prompt to listen to."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import soundfile

from mamtra.checkpoints.import_cosyvoice import import_cosyvoice2

TOOL = Path(__file__).parent / "tools" / "write_cosyvoice2_folder.py"
PROMPT_WORDS = "These are the words of it."
# random weights never stop: short speech, one attempt
GUARD = {"min_per_text_token": 0.1, "max_per_text_token": 0.3, "spare_tokens": 2, "attempts": 1}


def loaded_tool() -> ModuleType:
    """The tool as a module; tests/tools is no package."""
    if TOOL.stem in sys.modules:
        return sys.modules[TOOL.stem]
    spec = importlib.util.spec_from_file_location(TOOL.stem, TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[TOOL.stem] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def write_toy_model(folder: Path, guard: dict[str, float] | None = None) -> Path:
    """Write CosyVoice 2's folder at toy size and import it; gives the imported folder."""
    tool = loaded_tool()
    published = tool.write_folder(folder / "published", tool.TOY)
    tool.write_graphs(published, tool.TOY)
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
