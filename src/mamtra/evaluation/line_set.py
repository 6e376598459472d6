"""Lines to be spoken, each with an id and perhaps a prompt: the voice to speak with.

    plain lines   one sentence a line; ids are the line's number from 1
    meta.lst      Seed-TTS-eval's, columns separated by ``|``:
                    id | prompt text | prompt WAV | text | recording     (5 columns)
                    id | prompt text | prompt WAV | text                 (4)
                    id | text | prompt WAV                               (3)
                    id | text                                            (2)

Paths of a list are relative to its folder.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mamtra.errors import CorpusError

# number of columns: the places of text, prompt text and prompt recording
COLUMNS = {5: (3, 1, 2), 4: (3, 1, 2), 3: (1, None, 2), 2: (1, None, None)}


def fingerprint(sentences: Sequence[str]) -> str:
    """A short name for exactly these sentences in this order."""
    return hashlib.sha256("\n".join(sentences).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing to say.

    Attributes:
        id: names its sound file.
        text: to be spoken.
        prompt: a recording of the voice to speak with.
        prompt_text: the words of the prompt.
    """

    id: str
    text: str
    prompt: Path | None = None
    prompt_text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineSet:
    """Lines in order.

    Attributes:
        numbered: whether the ids are only the lines' numbers.

    Raises:
        CorpusError: two lines have one id, under which their clips would be mixed.
    """

    name: str
    lines: tuple[Line, ...]
    numbered: bool = False

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for line in self.lines:
            if line.id in seen:
                raise CorpusError(f"two lines of the set {self.name!r} have the id {line.id!r}")
            seen.add(line.id)

    @property
    def sha256(self) -> str:
        """A short name for exactly these lines in this order."""
        return fingerprint([f"{line.id}|{line.text}|{line.prompt_text}" for line in self.lines])

    def part(self, limit: int | None) -> "LineSet":
        """Only the first lines."""
        return LineSet(name=self.name, lines=self.lines[:limit], numbered=self.numbered)


def plain_set(name: str, texts: list[str]) -> LineSet:
    """Sentences without ids."""
    lines = (Line(id=f"{number:04d}", text=text) for number, text in enumerate(texts, 1))
    return LineSet(name=name, lines=tuple(lines), numbered=True)


def written_lines(path: Path) -> list[tuple[int, str]]:
    """The lines of a list that are not empty, with their numbers from 1.

    Raises:
        CorpusError: it cannot be read, or is empty.
    """
    try:
        written = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise CorpusError(f"cannot read sentences from {str(path)!r}: {problem}") from problem
    rows = [(number, line.strip()) for number, line in enumerate(written, 1) if line.strip()]
    if not rows:
        raise CorpusError(f"{str(path)!r} holds no sentence; write one a line")
    return rows


def meta_line(written: str, columns: int, folder: Path) -> Line:
    """One line of a meta.lst."""
    cells = [cell.strip() for cell in written.split("|")]
    text, prompt_text, prompt = COLUMNS[columns]
    return Line(
        id=Path(cells[0]).stem if cells[0].lower().endswith(".wav") else cells[0],
        text=cells[text],
        prompt=None if prompt is None else folder / cells[prompt],
        prompt_text="" if prompt_text is None else cells[prompt_text],
    )


def read_set(path: Path) -> LineSet:
    """Read a list of either form, told apart by ``|`` in its first line.

    Raises:
        CorpusError: it cannot be read, is empty, or a line has another number of columns or an id
            that was there before.
    """
    rows = written_lines(path)
    columns = rows[0][1].count("|") + 1
    if columns == 1:
        return plain_set(path.stem, [line for _, line in rows])
    lines: dict[str, Line] = {}
    for number, row in rows:
        found = row.count("|") + 1
        if found != columns or columns not in COLUMNS:
            raise CorpusError(
                f"line {number} of {str(path)!r} has {found} columns; a list of this kind has "
                f"{columns if columns in COLUMNS else '2 to 5'} in every line, separated by |"
            )
        line = meta_line(row, columns, path.parent)
        if line.id in lines or not line.text:
            fault = "repeats the id" if line.id in lines else "has no text for"
            raise CorpusError(f"line {number} of {str(path)!r} {fault} {line.id!r}")
        lines[line.id] = line
    return LineSet(name=f"{path.parent.name}/{path.stem}", lines=tuple(lines.values()))
