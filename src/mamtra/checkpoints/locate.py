"""From the name of a model to its folder.

A name is a model that ships inside the package, the path of a folder, or ``owner/name`` on
huggingface.co, if that was fetched before. Nothing is fetched, and nothing heavy is imported.
"""

import os
from pathlib import Path

from mamtra.checkpoints.hub import COSYVOICE2, is_hub_id, located
from mamtra.errors import ModelError

CONFIG = "config.json"  # what makes a folder a model
DEFAULT = "nano"
BUILT_IN = ("nano", "nano-1-5", "nano-teacher")
SHIPPED = Path(__file__).parents[1] / "voices"


def built_in() -> dict[str, Path]:
    """The models that this installation holds, by name."""
    folders = {name: SHIPPED / name for name in BUILT_IN}
    return {name: folder for name, folder in folders.items() if (folder / CONFIG).is_file()}


def source_folder(name_or_path: str | Path) -> Path:
    """The folder of something to import: a path, or what was fetched from huggingface.co.

    Raises:
        ModelError: there is none; the message says what to fetch and where to put it.
    """
    folder = Path(name_or_path).expanduser()
    if not folder.exists() and is_hub_id(str(name_or_path)):
        return located(str(name_or_path))
    return folder


def locate(name_or_path: str | Path = DEFAULT) -> Path:
    """The folder of a model.

    Raises:
        ModelError: there is no such model; the message says what is possible.
    """
    if not isinstance(name_or_path, str | os.PathLike):
        raise ModelError(f"{name_or_path!r} is no model; give a name or a path, as a string")
    shipped = built_in()
    if str(name_or_path) in shipped:
        return shipped[str(name_or_path)]
    folder = Path(name_or_path).expanduser()
    possible = (
        f"built-in models: {', '.join(shipped) or 'none in this installation'}; "
        f"or give the path of a folder that holds {CONFIG}"
    )
    try:
        if (folder / CONFIG).is_file():
            return folder
    except (OSError, ValueError) as problem:  # a name that no file can have
        raise ModelError(f"unknown model {str(name_or_path)[:60]!r}...; {possible}") from problem
    if folder.exists():
        what = "folder" if folder.is_dir() else "file"
        raise ModelError(f"the {what} {str(name_or_path)!r} is not a model; {possible}")
    if not is_hub_id(str(name_or_path)):
        raise ModelError(
            f"unknown model {str(name_or_path)!r}; {possible}, or owner/name on huggingface.co"
        )
    fetched = located(str(name_or_path))
    if not (fetched / CONFIG).is_file():
        kind = "cosyvoice2" if str(name_or_path).startswith(COSYVOICE2) else "cosyvoice2 or qwen2"
        raise ModelError(
            f"{str(name_or_path)!r} was fetched, but is not in mamtra's form; "
            f"run: mamtra import {kind} {name_or_path} -o FOLDER"
        )
    return fetched
