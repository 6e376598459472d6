"""A long text in windows of bounded length, and a check of what a text may hold."""

import re

from mamtra.errors import TextError

WINDOW_CHARACTERS = 1000
BOUNDARIES = ("\n\n", ". ", "? ", "! ", "\n", "; ", ", ", " ")
LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def check_characters(text: str) -> None:
    """Refuse what is no text: bytes that were not UTF-8 come in as lone surrogates.

    Raises:
        TextError: there is one; the message says where.
    """
    if found := LONE_SURROGATE.search(text):
        raise TextError(
            f"the text is not UTF-8: character {found.start() + 1} is {found[0]!a}; "
            "save it as UTF-8 and try again"
        )


def windows(text: str, longest: int = WINDOW_CHARACTERS) -> list[str]:
    """Cut a long text where a reader would pause, at the latest after so many characters.

    A word is cut only where it is longer than a window.
    """
    found, start = [], 0
    while len(text) - start > longest:
        end = start + longest
        for boundary in BOUNDARIES:
            place = text.rfind(boundary, start + longest // 2, end)
            if place >= 0:
                end = place + len(boundary)
                break
        found.append(text[start:end])
        start = end
    return [*found, text[start:]]
