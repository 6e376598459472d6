"""Reads the text files of words and templates that lie beside this module.

A file holds sections: a line ``[name]``, then its text. Lines that begin with ``#`` are comments.
"""

import re
from functools import cache
from importlib import resources

HEADING = re.compile(r"^\[(.+)\]\n", re.MULTILINE)


@cache
def sections(file: str) -> dict[str, str]:
    """The text of each section, by its name, in the order of the file."""
    text = resources.files("mamtra.corpus.synthetic").joinpath(file).read_text(encoding="utf-8")
    _, *parts = HEADING.split(re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    return dict(zip(parts[::2], parts[1::2], strict=True))


def listed(text: str) -> tuple[str, ...]:
    """Split a section at its commas; an entry may go on over the end of a line."""
    return tuple(" ".join(entry.split()) for entry in text.split(","))


def lines_of(text: str) -> tuple[str, ...]:
    """The lines of a section that hold something."""
    return tuple(line for line in text.splitlines() if line)
