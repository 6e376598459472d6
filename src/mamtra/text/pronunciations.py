"""How English words are pronounced: a sorted file of words and their phones, searched as bytes.

A model of letters that was trained on words in phones as well reads rare words better in phones. A
word whose sound depends on the sentence (``read``, ``record``) is left out of the file, so that the
model decides from its letters.

The file is UTF-8 text, a line for each word: the word in lower case, a tab, its phones with one
blank between them, in the order of the words' bytes. It is never parsed: a word is found by
halving. A file whose name ends in ``.gz`` is packed by gzip, to a quarter.
"""

import gzip
import re
import zlib
from functools import lru_cache
from pathlib import Path

from mamtra.errors import ModelError, TextError
from mamtra.text.phones import plain_phones, possessive

LONGEST_FILE = 50_000_000
PACKED = ".gz"
ONE = r"[a-z]+(?:'[a-z]+)*"
WORD = re.compile(rf"\{{[^{{}}]*\}}|{ONE}(?:-{ONE})*", re.IGNORECASE)


class Pronunciations:
    """Words and their phones, from the bytes of a sorted file.

    Raises:
        ModelError: the bytes are no such file.
    """

    def __init__(self, written: bytes) -> None:
        self.lines = written
        first = written[: max(written.find(b"\n"), 0)]
        if first.count(b"\t") != 1:
            raise ModelError(f"not a file of pronunciations: its first line is {first[:40]!r}")
        self.phones = lru_cache(maxsize=10_000)(self.search)

    def search(self, word: str) -> str | None:
        """The phones of a word in lower case, or of its possessive; None where it is unknown.

        Raises:
            ModelError: the file holds what is no phone.
        """
        wanted = word.encode()
        low, high, found = 0, len(self.lines), b""
        while low < high and not found:
            start = max(self.lines.rfind(b"\n", low, (low + high) // 2) + 1, low)
            end = self.lines.find(b"\n", start)
            end = len(self.lines) if end < 0 else end
            here, _, phones = self.lines[start:end].partition(b"\t")
            if here == wanted:
                found = phones
            elif here < wanted:
                low = end + 1
            else:
                high = start
        if not found:
            owner = self.search(word[:-2]) if word.endswith("'s") else None
            return owner and possessive(owner)
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


def unpacked(path: Path) -> bytes:
    """The bytes of a packed file; never more than ``LONGEST_FILE`` and one.

    Raises:
        ModelError: it is not packed, or damaged.
    """
    try:
        with gzip.open(path) as file:
            return file.read(LONGEST_FILE + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as problem:
        raise ModelError(f"{str(path)!r} is damaged or not packed by gzip: {problem}") from problem


def read_pronunciations(path: Path) -> Pronunciations:
    """Read a model's file of pronunciations.

    Raises:
        ModelError: it cannot be read, or is another kind of file.
    """
    try:
        size = path.stat().st_size
        written = b""
        if size <= LONGEST_FILE:
            written = unpacked(path) if path.suffix == PACKED else path.read_bytes()
    except OSError as problem:
        raise ModelError(f"cannot read the pronunciations {str(path)!r}: {problem}") from problem
    if max(size, len(written)) > LONGEST_FILE:
        raise ModelError(f"{str(path)!r} is too long for pronunciations")
    return Pronunciations(written)
