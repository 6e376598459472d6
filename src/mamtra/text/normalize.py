"""English as it is written to English as it is spoken.

The text goes through one table of rules per topic (addresses, abbreviations, dates, money and
units, numbers, acronyms, symbols); afterwards only letters, the apostrophe, ``. , ? ! ; : -`` and
blanks are left, which is what a tokenizer of letters can read. Words given in phones inside braces,
as in ``{hh ax l ow}``, are not touched.
"""

import re

from mamtra.errors import TextError
from mamtra.text import abbreviations, addresses, dates, letters, numbers, quantities, symbols
from mamtra.text.fold import fold
from mamtra.text.rules import Rule, rewrite, rule
from mamtra.text.tokenizer import NanoTokenizer

# phones have one or two letters; other words in braces are ordinary text
PHONES_IN_BRACES = re.compile(r"\{\s*[A-Za-z]{1,2}(?:\s+[A-Za-z]{1,2})*\s*\}")
HOLD = "\0"  # stands for a word in phones while the rules run
PREVIEW_CHARACTERS = 40
PASSES = 8  # a second pass changes something only in odd text, such as a sign inside a title

FIGURES: tuple[Rule, ...] = (
    *dates.RULES,
    *quantities.RULES,
    *letters.JOINED,
    *symbols.WITH_FIGURES,
    *numbers.RULES,
)
STRENGTH = "?!.;:,"  # of several marks in a row the first of these stays


def strongest(match: re.Match[str]) -> str:
    """Give the one mark that a run of marks becomes."""
    return next(mark for mark in STRENGTH if mark in match[0])


TIDY = (
    rule(r"\.{2,}(?=[ '\"]*[a-z])|\.{2,},", ","),
    rule(r"[^A-Za-z'.,?!;:\- \0]", " "),
    rule(r"(?<![A-Za-z])'+|'+(?![A-Za-z])", " "),
    rule(r"(?<![A-Za-z\0])-+|-+(?![A-Za-z\0])", " "),
    rule(r"\s+", " "),
    rule(r"[.,?!;:](?: ?[.,?!;:])+", strongest),
    rule(r" (?=[.,?!;:])", ""),
    rule(r"^[.,?!;: ]+", ""),
    rule(r"(?<=[.,?!;:])(?=[A-Za-z\0])", " "),
)


def once(text: str) -> str:
    """Apply every table one time."""
    text = rewrite(text, addresses.RULES)
    text = rewrite(text, abbreviations.RULES)
    if any(map(str.isdigit, text)):
        text = rewrite(text, FIGURES)
    text = rewrite(letters.quieten(text), letters.RULES)
    text = rewrite(text, symbols.RULES)
    return rewrite(text, TIDY)


def normalize(text: str) -> str:
    """Write English the way it is spoken, in letters and marks only.

    Args:
        text: any text; numbers, dates, money, units, addresses and abbreviations become words,
            emojis and scripts other than Latin are left out.

    Raises:
        TextError: the text is empty, nothing in it can be spoken, or a phone in braces is unknown.
    """
    if not text.strip():
        raise TextError("the text is empty; give at least one word to speak")
    spans = PHONES_IN_BRACES.findall(text)
    for span in spans:
        NanoTokenizer().encode(span)
    spoken = fold(PHONES_IN_BRACES.sub(HOLD, text.replace(HOLD, " ")))
    for _ in range(PASSES):
        before, spoken = spoken, once(spoken)
        if spoken == before:
            break
    if not re.search(r"[A-Za-z\0]", spoken):
        raise TextError(
            f"nothing in {text.strip()[:PREVIEW_CHARACTERS]!r} can be spoken; "
            "give text with Latin letters or numbers"
        )
    held = iter(spans)
    return re.sub(HOLD, lambda _: next(held), spoken)
