"""English as it is written to English as it is spoken.

The text goes through one table of rules per topic (addresses, codes, abbreviations, dates, money,
units, numbers, acronyms, symbols); afterwards only letters, the apostrophe, ``. , ? ! ; : -`` and
blanks are left, which is what a tokenizer of letters can read. Words given in phones inside braces,
as in ``{hh ax l ow}``, are not touched.

A long text is read in windows of bounded length, so that reading takes time in proportion to it,
whatever it holds.
"""

import re

from mamtra.errors import NothingToSpeakError
from mamtra.text import (
    abbreviations,
    addresses,
    codes,
    dates,
    informal,
    letters,
    money,
    numbers,
    ranges,
    roman,
    symbols,
    times,
    units,
)
from mamtra.text.fold import DASHES, fold
from mamtra.text.markup import plain_text
from mamtra.text.phones import IN_BRACES, plain_phones
from mamtra.text.rules import Rule, rewrite, rule
from mamtra.text.windows import check_characters, windows

HOLD = "\0"  # stands for a word in phones while the rules run
PREVIEW_CHARACTERS = 40
PASSES = 8  # a second pass changes something only in odd text, such as a sign inside a title

WORDS: tuple[Rule, ...] = (
    *units.BARE,
    *informal.RULES,
    *letters.PAIRS,
    *dates.DAYS,
    *abbreviations.RULES,
    *roman.RULES,
)
FIGURES: tuple[Rule, ...] = (
    *numbers.GROUPED,
    *times.SPANS_OF_TIME,
    *dates.RULES,
    *times.RULES,
    *symbols.COMPARED,
    *money.RULES,
    *units.RULES,
    *letters.JOINED,
    *symbols.WITH_FIGURES,
    *numbers.RULES,
)
STRENGTH = "?!.;:,"  # of several marks in a row the first of these stays


def strongest(match: re.Match[str]) -> str:
    """Give the one mark that a run of marks becomes."""
    return next(mark for mark in STRENGTH if mark in match[0])


TIDY = (
    rule(r"(?<!\.)\.{2,}(?=[ '\"]*[a-z])|(?<!\.)\.{2,},", ","),
    rule(r"[^A-Za-z'.,?!;:\- \0]", " "),
    rule(r"(?<![A-Za-z'])'+|'+(?![A-Za-z'])", " "),
    rule(r"(?<![A-Za-z\0-])-+|-+(?![A-Za-z\0-])", " "),
    rule(r"\s+", " "),
    rule(r"[.,?!;:](?: ?[.,?!;:])+", strongest),
    rule(r" (?=[.,?!;:])", ""),
    rule(r"^[.,?!;: ]+", ""),
    rule(r"(?<=[.,?!;:])(?=[A-Za-z\0])", " "),
)


def figures(text: str) -> str:
    """Write addresses, codes, abbreviations and figures as words; other letters stay."""
    text = rewrite(text, addresses.RULES)
    if any(map(str.isdigit, text)):
        text = rewrite(text, codes.RULES)
    text = rewrite(text, WORDS)
    return rewrite(text, FIGURES) if any(map(str.isdigit, text)) else text


def once(text: str) -> str:
    """Apply every table one time."""
    text = rewrite(letters.quieten(figures(text)), letters.RULES)
    text = rewrite(text, symbols.RULES)
    return rewrite(text, TIDY)


def spoken_window(text: str) -> str:
    """Write a bounded part of a text the way it is spoken."""
    spoken = rewrite(rewrite(fold(text), ranges.RULES), DASHES)
    for _ in range(PASSES):
        before, spoken = spoken, once(spoken)
        if spoken == before:
            break
    return spoken


def normalize(text: str) -> str:
    """Write a sentence of English the way it is spoken, in letters and marks only.

    A full stop inside of it counts as one of an abbreviation: "Elm St. It" becomes "Elm Saint It".
    Longer texts are cut into sentences first (``Synthesizer.pieces``, ``mamtra.text.split``).

    Args:
        text: a sentence; numbers, dates, money, units, addresses and abbreviations become words,
            emojis and scripts other than Latin are left out.

    Raises:
        NothingToSpeakError: the text is empty, or nothing in it can be spoken.
        TextError: a phone in braces is unknown, or the text holds what is no character.
    """
    check_characters(text)
    if not text.strip():
        raise NothingToSpeakError("the text is empty; give at least one word to speak")
    spans = [plain_phones(span) for span in IN_BRACES.findall(text)]
    held = IN_BRACES.sub(HOLD, text.replace(HOLD, " "))
    parts = windows(plain_text(held))
    spoken = spoken_window(parts[0]) if len(parts) == 1 else " ".join(map(spoken_window, parts))
    if len(parts) > 1:
        spoken = rewrite(spoken, TIDY)
    if not re.search(r"[A-Za-z\0]", spoken):
        raise NothingToSpeakError(
            f"nothing in {text.strip()[:PREVIEW_CHARACTERS]!r} can be spoken; "
            "give text with Latin letters or numbers"
        )
    words_in_phones = iter(spans)
    return re.sub(HOLD, lambda _: next(words_in_phones), spoken)
