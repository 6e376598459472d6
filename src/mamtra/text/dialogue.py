"""Dialogue: ``[voice:NAME]`` at the start of a line changes who speaks, until the next mark.

[voice:anna] Where have you been?
[voice:tom] In town. It rained.
"""

import re
from dataclasses import dataclass

NAME = r"\[voice:[^\S\n]*([^\[\]\n]{1,200}?)[^\S\n]*\]"
MARK = re.compile(rf"^[^\S\n]*{NAME}", re.IGNORECASE | re.MULTILINE)
LONE_MARK = re.compile(rf"^([^\S\n]*{NAME})\s*\n\s*", re.IGNORECASE | re.MULTILINE)
# a mark without words between it and the next one
IDLE_MARK = re.compile(rf"^[^\S\n]*{NAME}\s*(?={NAME})", re.IGNORECASE | re.MULTILINE)
LINE_BEFORE_MARK = rf"\n(?=[^\S\n]*{NAME})"


@dataclass(frozen=True, slots=True)
class Turn:
    """What one speaker says at a stretch.

    Attributes:
        voice: who; None before the first mark.
        text: without the mark.
    """

    voice: str | None
    text: str


def with_marks_before_words(text: str) -> str:
    """Put marks that have a line for themselves before the words that follow.

    Of several marks in a row the last one counts.
    """
    return LONE_MARK.sub(r"\1 ", IDLE_MARK.sub("", text))


def turns(text: str) -> list[Turn]:
    """Cut a text at its marks."""
    # text, name, text, name, ..., text
    parts = MARK.split(text)
    found = [Turn(None, parts[0])]
    found += [Turn(name, said) for name, said in zip(parts[1::2], parts[2::2], strict=True)]
    return [turn for turn in found if turn.text.strip()]


def voices_in(text: str) -> list[str]:
    """The names in a text's marks, each once."""
    return list(dict.fromkeys(MARK.findall(text)))
