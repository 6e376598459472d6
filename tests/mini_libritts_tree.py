"""The miniature LibriTTS tree of tests/tools, which is no package, as a function."""

import importlib.util
from pathlib import Path

TOOL = Path(__file__).parent / "tools" / "mini_libritts.py"


def mini_libritts(folder: Path) -> Path:
    """Write the tree."""
    spec = importlib.util.spec_from_file_location("mini_libritts", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.mini_libritts(folder)
