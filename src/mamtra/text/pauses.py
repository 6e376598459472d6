"""Pauses that a text asks for: ``[pause 0.5]`` or SSML's ``<break time="500ms"/>``.

A text is cut at them into passages; each knows how long to be silent after it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from mamtra.errors import NothingToSpeakError, TextError

LONGEST_SECONDS = 10.0  # as long as SSML readers allow
# SSML leaves the length of a named strength to the reader
STRENGTHS = {
    "none": 0.0, "x-weak": 0.1, "weak": 0.2, "medium": 0.4, "strong": 0.7, "x-strong": 1.2,
}  # fmt: skip

MARK = re.compile(r"\[pause(?:[ :=]([^\[\]\n]{0,20}))?\]|<break\b([^<>]{0,100})>", re.IGNORECASE)
BEFORE_MARK = re.compile(r"(?<!\s)\s+(?=\[pause\b|<break\b)", re.IGNORECASE)
TIME = re.compile(r"([+]?\d{0,6}(?:\.\d{1,6})?) ?(ms|s|sec|seconds?)?", re.IGNORECASE)
ATTRIBUTE = re.compile(r"""\b(time|strength)\s?=\s?["']([^"']{0,40})["']""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of a text, and the pause that it asks for after it.

    Attributes:
        text: as it was written.
        pause_seconds: silence after it; None where the text does not say.
        voice: who speaks from here on; None where that does not change.
    """

    text: str
    pause_seconds: float | None = None
    voice: str | None = None


def seconds_of(written: str, mark: str) -> float:
    """Give the seconds of a written time: 0.5, 0.5s, 500ms.

    Raises:
        TextError: it is no time, or too long.
    """
    found = TIME.fullmatch(written.strip())
    if not found or not found[1].strip("+."):
        raise TextError(
            f'{mark!r} is no pause; write [pause 0.5], [pause 500ms] or <break time="500ms"/>'
        )
    seconds = float(found[1]) / (1000 if (found[2] or "").lower() == "ms" else 1)
    if seconds > LONGEST_SECONDS:
        raise TextError(f"{mark!r} is too long; a pause has at most {LONGEST_SECONDS:g} seconds")
    return seconds


def pause_of(mark: re.Match[str]) -> float:
    """Give the seconds of a mark; without a time they are those of a medium break.

    Raises:
        TextError: it names no time that is possible.
    """
    if mark[2] is None:
        return seconds_of(mark[1], mark[0]) if (mark[1] or "").strip() else STRENGTHS["medium"]
    said = {name.lower(): value for name, value in ATTRIBUTE.findall(mark[2])}
    if "time" in said:
        return seconds_of(said["time"], mark[0])
    strength = said.get("strength", "medium").lower()
    if strength not in STRENGTHS:
        raise TextError(f"strength {strength!r} is unknown; possible are {', '.join(STRENGTHS)}")
    return STRENGTHS[strength]


def together(first: float | None, second: float | None) -> float | None:
    """Give the length of two pauses in a row."""
    if first is None or second is None:
        return second if first is None else first
    return min(first + second, LONGEST_SECONDS)


def passages(text: str) -> list[Passage]:
    """Cut a text at its pauses; several in a row add up.

    A pause before any word comes first, as a passage without text.

    Raises:
        TextError: a pause is none, or too long.
    """
    found, start = [Passage("")], 0
    for mark in MARK.finditer(text):
        before, seconds = text[start : mark.start()], pause_of(mark)
        start = mark.end()
        if any(map(str.isalnum, before)):
            found.append(Passage(before, seconds))
        else:
            found[-1] = replace(found[-1], pause_seconds=together(found[-1].pause_seconds, seconds))
    if any(map(str.isalnum, text[start:])) or found == [Passage("")]:
        found.append(Passage(text[start:]))
    return found if found[0].pause_seconds is not None else found[1:]


def attached(text: str) -> str:
    """Put marks that stand in a paragraph of their own at the end of the one before."""
    return BEFORE_MARK.sub(" ", text)


def timed_pieces(text: str, cut: Callable[[str], list[str]]) -> list[Passage]:
    """Cut a text into pieces, the last of each passage with the pause that follows it.

    A piece without text is a pause before any word.

    Args:
        text: may hold marks.
        cut: makes pieces of a text without marks.

    Raises:
        TextError: nothing in it can be spoken, or a pause is none. A passage that cannot be spoken
            is left out, its pause stays.
    """
    found: list[Passage] = []
    problem = None
    for passage in passages(text):
        stands_alone = not passage.text and passage.pause_seconds is not None
        try:
            texts = [""] if stands_alone else cut(passage.text)
        except NothingToSpeakError as unspeakable:
            problem, texts = unspeakable, []
        found += map(Passage, texts)
        if found:
            longer = together(found[-1].pause_seconds, passage.pause_seconds)
            found[-1] = replace(found[-1], pause_seconds=longer)
    if problem is not None and not any(piece.text for piece in found):
        raise problem
    return found
