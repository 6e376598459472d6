"""The rows of figures that are kept in a repository, and what stands where there is none."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mamtra.errors import CorpusError
from mamtra.files import read_rows

RESULTS, PICTURES = Path("benchmarks/results"), Path("docs/pictures")
MISSING = "not measured here: {}"


@dataclass(frozen=True, slots=True)
class Rows:
    """The committed rows of a repository.

    Attributes:
        root: folder that holds ``benchmarks`` and ``docs``.
    """

    root: Path

    def read(self, place: Path) -> list[dict[str, Any]]:
        """The rows of a file; none if it does not exist.

        Raises:
            CorpusError: the file is damaged.
        """
        path = self.root / place
        return read_rows(path, CorpusError) if path.exists() else []
