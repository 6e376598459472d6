"""How English words are pronounced: a sorted file of words and their phones, searched as bytes.

A model of letters that was trained on words in phones as well reads rare words better in phones. A
word whose sound depends on the sentence (``read``, ``record``) is left out of the file, so that the
model decides from its letters.

The file is UTF-8 text, a line for each word: the word in lower case, a tab, its phones with one
blank between them. It is never parsed as a whole: opening it costs a millisecond.
"""

import re
from functools import lru_cache
from pathlib import Path

from mamtra.errors import ModelError, TextError
from mamtra.text.phones import plain_phones

LONGEST_FILE = 50_000_000
ONE = r"[a-z]+(?:'[a-z]+)*"
WORD = re.compile(rf"\{{[^{{}}]*\}}|{ONE}(?:-{ONE})*", re.IGNORECASE)
VOICELESS, SIBILANTS = ("f", "k", "p", "t", "th"), ("s", "z", "sh", "zh", "ch", "jh")


def possessive(phones: str) -> str:
    """The phones of a word with 's."""
    last = phones.rpartition(" ")[2]
    ending = "ax z" if last in SIBILANTS else "s" if last in VOICELESS else "z"
    return f"{phones} {ending}"


class Pronunciations:
    """Words and their phones, from the bytes of a file.

    Raises:
        ModelError: the bytes are no such file.
    """

    def __init__(self, written: bytes) -> None:
        self.lines = b"\n" + written.strip(b"\n") + b"\n"
        first = self.lines[1 : self.lines.index(b"\n", 1)]
        if first.count(b"\t") != 1:
            raise ModelError(f"not a file of pronunciations: its first line is {first[:40]!r}")
        self.phones = lru_cache(maxsize=10_000)(self.search)

    def search(self, word: str) -> str | None:
        """The phones of a word in lower case, or of its possessive; None where it is unknown.

        Raises:
            ModelError: the file holds what is no phone.
        """
        key = b"\n" + word.encode() + b"\t"
        place = self.lines.find(key)
        if place < 0:
            owner = self.search(word[:-2]) if word.endswith("'s") else None
            return owner and possessive(owner)
        start = place + len(key)
        found = self.lines[start : self.lines.index(b"\n", start)]
        try:
            return plain_phones(found.decode())[1:-1]
        except (TextError, UnicodeDecodeError) as problem:
            raise ModelError(f"the pronunciation of {word!r} is damaged: {problem}") from problem

    def spell(self, text: str) -> str:
        """Put the words that are known in phones, as in ``{hh ax l ow}, world.``.

        A word with hyphens is in phones if all its parts are known. What is in braces stays.
        """

        def spelled(match: re.Match[str]) -> str:
            word = match[0]
            if word.startswith("{"):
                return word
            parts = [self.phones(part) for part in word.lower().split("-")]
            known = [part for part in parts if part]
            return f"{{{' '.join(known)}}}" if len(known) == len(parts) else word

        return WORD.sub(spelled, text)


def read_pronunciations(path: Path) -> Pronunciations:
    """Read a model's file of pronunciations.

    Raises:
        ModelError: it cannot be read, or is another kind of file.
    """
    try:
        if path.stat().st_size > LONGEST_FILE:
            raise ModelError(f"{str(path)!r} is too long for pronunciations")
        return Pronunciations(path.read_bytes())
    except OSError as problem:
        raise ModelError(f"cannot read the pronunciations {str(path)!r}: {problem}") from problem
