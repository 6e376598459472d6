"""The words of a sentence, as everything in this room counts and compares them."""

import re


def words_of(sentence: str) -> list[str]:
    """The words of a sentence in lower case, without marks; a hyphen parts two words."""
    return re.findall(r"[a-z']+", sentence.lower())
