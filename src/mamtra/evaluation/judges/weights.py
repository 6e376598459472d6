"""Weights that a judge is given: a folder, or what was fetched before; checked, never fetched."""

import hashlib
from pathlib import Path

from mamtra.errors import ModelError
from mamtra.files import file_sha256

HUB_NAME = "mamtra fetch {}"


def folder_of(given: str, repository: str, needs: str) -> Path:
    """A folder as it is, or the one of a repository that was fetched before.

    Args:
        given: a folder, or a repository's name.
        repository: where it would be fetched from.
        needs: what the judge is, for the message.

    Raises:
        ModelError: it is neither.
    """
    folder = Path(given).expanduser()
    if folder.is_dir():
        return folder
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(repository, local_files_only=True))
    except Exception as problem:  # the hub has many errors for "not here", and may be missing
        raise ModelError(
            f"{given!r} is no folder, and no {needs} that was fetched before; give its folder, "
            f"or run: {HUB_NAME.format(repository)}"
        ) from problem


def files_sha256(folder: Path, pattern: str) -> str:
    """One checksum for all files of a folder whose names fit, whatever the folder is called.

    Raises:
        ModelError: there is none.
    """
    found = sorted(path for path in folder.glob(pattern) if path.is_file())
    if not found:
        raise ModelError(f"{str(folder)!r} holds no {pattern}; give the folder of the weights")
    if len(found) == 1:
        return file_sha256(found[0])
    total = hashlib.sha256()
    for path in found:
        total.update(f"{path.name} {file_sha256(path)}\n".encode())
    return total.hexdigest()
