"""SHA-256 of a model's files, in the form that ``sha256sum`` writes and checks.

    SHA256SUMS      a line a file: the digest, two blanks, the path inside the folder

Written for models that ship; ``mamtra doctor`` verifies them.
"""

import hashlib
from pathlib import Path

from mamtra.atomic import write_file
from mamtra.checkpoints.locate import CONFIG
from mamtra.errors import ModelError

SUMS = "SHA256SUMS"
PATTERNS = ("*.safetensors", "*.onnx", "*.txt")


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def write_checksums(folder: Path) -> None:
    """Write the checksums of a model's config, weights, graphs, voices and word lists.

    Raises:
        ModelError: the file cannot be written.
    """
    found = (path for pattern in PATTERNS for path in folder.rglob(pattern))
    files = [folder / CONFIG, *sorted(found)]
    lines = [f"{digest(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    write_file(folder / SUMS, "".join(lines), ModelError)


def damaged_files(folder: Path) -> list[str] | None:
    """Files that are missing or not as they were written; None where no checksums are known."""
    sums = folder / SUMS
    if not sums.is_file():
        return None
    wrong = []
    for line in sums.read_text(encoding="utf-8", errors="replace").splitlines():
        expected, _, name = line.partition("  ")
        path = folder / name
        if not path.is_file() or digest(path) != expected:
            wrong.append(name)
    return wrong
