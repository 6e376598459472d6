"""The lines of a batch and what became of them: two files of JSON lines.

The batch is read, the manifest is written, a row after each sound. Reading the manifest back tells
what is left to be done.
"""

import hashlib
import json
import re
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mamtra.atomic import leftovers, write_file
from mamtra.audio.clip import FORMATS
from mamtra.errors import AudioError, CorpusError, TextError

STANDARD = "-"  # in place of a path: standard input
MANIFEST = "manifest.jsonl"
SUFFIX = ".wav"
KEYS = ("text", "voice", "seed", "id", "out")
NAME = re.compile(r"\w[\w .+-]*")  # one file in the folder: no path, nothing hidden


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What holds for every line that does not say otherwise.

    Attributes:
        voice, seed: of lines without their own.
        mode, instruct, normalize: as for one text.
    """

    voice: str | None = None
    seed: int = 0
    mode: str | None = None
    instruct: str | None = None
    normalize: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the file.

    Attributes:
        path: name of its sound file in the folder.
    """

    number: int
    id: str
    path: str
    text: str
    voice: str | None
    seed: int

    def fingerprint(self, model: str, defaults: Defaults) -> str:
        """A short name for all that its sound depends on; the model counts by its name."""
        how = {"model": model, **asdict(defaults), "voice": self.voice, "seed": self.seed}
        told = json.dumps({**how, "text": self.text, "path": self.path}, sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:16]


def id_of(number: int) -> str:
    """The name of a line that has none."""
    return f"{number:05d}"


def read_line(number: int, raw: str, defaults: Defaults) -> Line:
    """One line of the file.

    Raises:
        TextError: it is no JSON object with a text, or a value cannot be used.
    """
    try:
        given = json.loads(raw)
    except ValueError as problem:
        raise TextError(f"line {number} is not JSON: {problem}") from problem
    if not isinstance(given, dict) or not isinstance(given.get("text"), str):
        raise TextError(f"line {number} must be an object with a string 'text'")
    if unknown := sorted(set(given) - set(KEYS)):
        raise TextError(
            f"line {number} has unknown keys {', '.join(unknown)}; known are {', '.join(KEYS)}"
        )
    seed, voice = given.get("seed", defaults.seed), given.get("voice", defaults.voice)
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise TextError(f"line {number} has seed {seed!r}; give a whole number from 0")
    if not isinstance(voice, str | None):
        raise TextError(f"line {number} has voice {voice!r}; give a name or a path")
    name = str(given.get("id", id_of(number)))
    path = str(given.get("out", f"{name}{SUFFIX}"))
    if not NAME.fullmatch(path) or Path(path).suffix.lower() not in FORMATS:
        raise TextError(
            f"line {number} would be written to {path!r}; give a plain file name that ends with "
            f"one of {', '.join(FORMATS)}"
        )
    return Line(number=number, id=name, path=path, text=given["text"], voice=voice, seed=seed)


def read_lines(source: str) -> list[tuple[int, str]]:
    """The lines of a file with their numbers from 1; empty ones are left out.

    Raises:
        CorpusError: it cannot be read, or holds nothing.
    """
    try:
        text = sys.stdin.read() if source == STANDARD else Path(source).read_text()
    except (OSError, UnicodeDecodeError) as problem:
        raise CorpusError(f"cannot read the batch {source!r}: {problem}") from problem
    lines = [(number, raw) for number, raw in enumerate(text.split("\n"), start=1) if raw.strip()]
    if not lines:
        raise CorpusError(f"the batch {source!r} is empty; give one JSON object a line")
    return lines


class Manifest:
    """What became of the lines, in the folder of the sound files.

    Args:
        folder: made if it is not there.

    Raises:
        AudioError: nothing can be written there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / MANIFEST
        self.rows: dict[str, dict[str, Any]] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if self.path.exists():
                self.read()
            for leftover in leftovers(folder):  # of a process that was killed
                leftover.unlink()
        except OSError as problem:
            raise AudioError(f"cannot write into {str(folder)!r}: {problem}") from problem

    def read(self) -> None:
        """Take over the rows that are there; the half-written one of a killed process is dropped.

        A line that was spoken again has several rows; the last one holds.
        """
        for raw in self.path.read_bytes().splitlines():
            try:
                row = json.loads(raw)
                self.rows[row["id"]] = row
            except (ValueError, KeyError, TypeError):
                continue
        rows = "".join(f"{json.dumps(row)}\n" for row in self.rows.values())
        write_file(self.path, rows, AudioError)

    def holds(self, line: Line, fingerprint: str) -> bool:
        """Whether exactly this line was spoken and its sound is still there."""
        row = self.rows.get(line.id, {})
        same = row.get("error", "") is None and row.get("fingerprint") == fingerprint
        return same and (self.folder / line.path).is_file()

    def add(self, row: dict[str, Any]) -> None:
        """Write a row; it survives this process."""
        self.rows[row["id"]] = row
        try:
            with self.path.open("a") as file:
                file.write(json.dumps(row) + "\n")
        except OSError as problem:
            raise AudioError(f"cannot write {str(self.path)!r}: {problem}") from problem
