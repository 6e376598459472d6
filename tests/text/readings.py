"""Written lines and their right readings, read from tables and held against the normaliser.

``readings.tsv`` are reported mistakes, all of which must be right. ``readings_held_out.tsv`` was
written down from public text of many kinds before the rules were changed, ``readings_later.tsv``
after them; a share of both must be right. Columns: input (``\\n`` is a line break), right readings
(`` | `` between equally right ones), kind. Only words are compared, not marks and not case.

    python tests/text/readings.py     prints the shares and what is wrong
"""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from mamtra.errors import TextError
from mamtra.text.normalize import normalize

HERE = Path(__file__).parent
REPORTED, HELD_OUT = HERE / "readings.tsv", HERE / "readings_held_out.tsv"
LATER = HERE / "readings_later.tsv"
# a hundred lines each, every list committed before any of its lines was tried; right at first
# sight were 77, 85, 87, 75 and 83, and the kinds of what was wrong were mended after each; three
# lines of the fourth and two of the fifth then got a reading that is as right ("your" sounds as
# "you're" does, "i" as "eye")
NEW = [HERE / f"readings_{name}.tsv" for name in ("new", "second", "third", "fourth", "fifth")]


@dataclass(frozen=True, slots=True)
class Reading:
    """A line, the readings that are right, and the kind of text it stands for."""

    written: str
    right: tuple[str, ...]
    kind: str

    @property
    def spoken(self) -> str:
        """The words that the normaliser gives."""
        try:
            return words(normalize(self.written))
        except TextError as problem:
            return f"({problem})"

    @property
    def is_right(self) -> bool:
        """Whether they are among the right ones."""
        return self.spoken in self.right


def words(text: str) -> str:
    """The words of a text, in lower case with one blank between them."""
    return " ".join(re.findall(r"[a-z']+", text.lower()))


def read(table: Path) -> list[Reading]:
    """All lines of a table."""
    found = []
    for line in table.read_text(encoding="utf-8").splitlines():
        written, right, *kind = line.split("\t")
        readings = tuple(words(reading) for reading in right.split(" | "))
        found.append(Reading(written.replace(r"\n", "\n"), readings, "".join(kind)))
    return found


def main() -> None:
    """Print the share of each table, and what is wrong."""
    for table in (REPORTED, HELD_OUT, LATER, *NEW):
        readings = read(table)
        wrong = [reading for reading in readings if not reading.is_right]
        print(f"{table.name}: {len(readings) - len(wrong)} of {len(readings)} right")
        print("  wrong by kind:", dict(Counter(reading.kind for reading in wrong)))
        for reading in wrong:
            print(f"  {reading.written!r}\n    is    {reading.spoken}")
            print(f"    right {' | '.join(reading.right)}")


if __name__ == "__main__":
    main()
