"""SHA-256 of a model's files, in the form that ``sha256sum`` writes and checks.

    SHA256SUMS      a line a file: the digest, two blanks, the path inside the folder

Written for models that ship. Opening one compares what speaking reads, beside the opening itself;
``mamtra doctor`` compares every file.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from mamtra.atomic import write_file
from mamtra.checkpoints.locate import CONFIG, built_in
from mamtra.errors import ModelError
from mamtra.files import file_sha256

SUMS = "SHA256SUMS"
PATTERNS = ("*.safetensors", "*.onnx", "*.txt")


def write_checksums(folder: Path) -> None:
    """Write the checksums of a model's config, weights, graphs, voices and word lists.

    Raises:
        ModelError: the file cannot be written.
    """
    found = (path for pattern in PATTERNS for path in folder.rglob(pattern))
    files = [folder / CONFIG, *sorted(found)]
    lines = [f"{file_sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    write_file(folder / SUMS, "".join(lines), ModelError)


def renew_checksums(folder: Path) -> None:
    """Write the checksums of a folder again, after its files were changed on purpose.

    Raises:
        ModelError: the file cannot be written.
    """
    if (folder / SUMS).is_file():
        write_checksums(folder)


def damaged_files(folder: Path, looked_at: Callable[[str], bool] | None = None) -> list[str] | None:
    """Files that are missing or not as they were written; None where no checksums are known.

    Args:
        folder: of the model.
        looked_at: whether a file, by its path inside the folder, is compared; without it all are.
    """
    sums = folder / SUMS
    if not sums.is_file():
        return None
    wrong = []
    for line in sums.read_text(encoding="utf-8", errors="replace").splitlines():
        expected, _, name = line.partition("  ")
        path = folder / name
        if (looked_at is None or looked_at(name)) and (
            not path.is_file() or file_sha256(path) != expected
        ):
            wrong.append(name)
    return wrong


@contextmanager
def compared(folders: list[Path], looked_at: Callable[[str], bool]) -> Iterator[None]:
    """Compare files of built-in models in a thread, while they are opened; other folders are not.

    Where the system gives no further thread, they are compared first.

    Raises:
        ModelError: one is missing or not as it was shipped.
    """
    shipped = [folder for folder in folders if folder in built_in().values()]
    damaged: list[Path] = []

    def compare() -> None:
        for folder in shipped:
            damaged.extend(folder / name for name in damaged_files(folder, looked_at) or ())

    thread = Thread(target=compare, daemon=True)
    try:
        thread.start()
    except RuntimeError:  # the user's limit of processes, or no memory for its stack
        compare()
    try:
        yield
    finally:
        if thread.ident is not None:
            thread.join()
    if damaged:
        raise ModelError(
            f"{str(damaged[0])!r} is missing or not as it was shipped (SHA-256); "
            "install mamtra again; mamtra doctor compares every file"
        )
