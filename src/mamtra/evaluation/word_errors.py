"""Wrong words, counted in one place for the whole project.

jiwer aligns what was heard with what should have been said: words replaced, left out, and added.
"""

import re
from dataclasses import dataclass
from itertools import zip_longest

from mamtra.errors import TextError, require
from mamtra.text.normalize import normalize

EXTRA = "eval"


@dataclass(frozen=True, slots=True)
class WordErrors:
    """What has to be changed in one sentence to make what was heard right.

    Attributes:
        words: in the reference.
        substitutions: words heard as another.
        deletions: words that were dropped.
        insertions: words that nobody wrote.
    """

    words: int
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0

    @property
    def wrong(self) -> int:
        """All three together."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Wrong words as a share of the reference's; may be above 1."""
        return self.wrong / self.words


def word_errors(reference: str, heard: str) -> WordErrors:
    """Compare two sentences whose words are separated by blanks, as a text rule wrote them.

    Raises:
        MissingExtraError: jiwer is not installed.
    """
    words = len(reference.split())
    if not heard.split():
        return WordErrors(words, deletions=words)
    if not words:
        return WordErrors(0, insertions=len(heard.split()))
    counts = require("jiwer", EXTRA).process_words(reference, heard)
    return WordErrors(words, counts.substitutions, counts.deletions, counts.insertions)


def character_errors(reference: str, heard: str) -> WordErrors:
    """The same with every character but blanks as a word.

    Raises:
        MissingExtraError: jiwer is not installed.
    """
    spaced = (" ".join("".join(text.split())) for text in (reference, heard))
    return word_errors(*spaced)


def marked_words(reference: str, heard: str) -> list[tuple[str, str]]:
    """Both sentences word by word as they were aligned: what was written, and what was heard.

    A dropped word is heard as nothing, an added one was written as nothing.
    """
    wanted, found = reference.split(), heard.split()
    if not wanted or not found:
        return [(word, "") for word in wanted] + [("", word) for word in found]
    chunks = require("jiwer", EXTRA).process_words(reference, heard).alignments[0]
    pairs: list[tuple[str, str]] = []
    for chunk in chunks:
        left = wanted[chunk.ref_start_idx : chunk.ref_end_idx]
        right = found[chunk.hyp_start_idx : chunk.hyp_end_idx]
        pairs += zip_longest(left, right, fillvalue="")
    return pairs


def plain_words(text: str) -> str:
    """Both sides of a comparison as spoken English words: numbers written out, no marks."""
    try:
        spoken = normalize(text)
    except TextError:
        return ""
    return " ".join(re.findall(r"[a-z][a-z']*", spoken.lower()))
