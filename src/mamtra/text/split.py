"""Long text into parts that fit a model, without losing or doubling a word.

Text is cut where a reader would pause: between sentences first, then after ``;`` or ``:``, then
after a comma, and between words only where nothing else helps. Figures and abbreviations ("$3.50",
"Dr. Smith", "2.5 kg", "v2.0") are never cut.
"""

import re
from collections.abc import Callable, Iterable

from mamtra.errors import TextError

LANGUAGE = "en"
SHORT_SHARE = 0.25  # a piece shorter than this share of the budget joins its neighbour

PHRASE = re.compile(r"(?<=[;:])\s+")
CLAUSE = re.compile(r"(?<=[,])\s+")
# what a sentence never ends with: a title, an abbreviation that goes on, a word in phones half read
NOT_AN_END = re.compile(r"(?:\b(?:Dr|Mr|Mrs|Ms|Prof|vs|e\.g|i\.e|approx)\.|\{[^{}]*)$")
# a word in phones is one word; so is anything else between blanks
WORD = re.compile(r"(?:\{[^{}]*\}|\S)+")

Measure = Callable[[str], int]


def split_sentences(text: str) -> list[str]:
    """Cut text into sentences, each without blanks around it.

    A cut is made at a blank only, so that no word is ever broken; blanks in a row become one.
    """
    from sentencex import segment  # pyright: ignore[reportAttributeAccessIssue]

    joined: list[str] = []
    for part in segment(LANGUAGE, text):
        at_blank = joined and (joined[-1][-1:].isspace() or part[:1].isspace())
        if joined and (not at_blank or NOT_AN_END.search(joined[-1].rstrip())):
            joined[-1] += part
        else:
            joined.append(part)
    return [sentence for part in joined if (sentence := " ".join(part.split()))]


def pack(parts: Iterable[str], budget: int, measure: Measure) -> list[str]:
    """Join neighbours as long as the joined part fits the budget."""
    packed: list[str] = []
    for part in parts:
        if packed and measure(joined := f"{packed[-1]} {part}") <= budget:
            packed[-1] = joined
        else:
            packed.append(part)
    return packed


def cut(sentence: str, budget: int, measure: Measure) -> list[str]:
    """Cut one sentence that is over the budget; a single word is never cut.

    The coarsest cut that fits wins: at ``;`` and ``:``, then at commas, then between words.
    """
    if measure(sentence) <= budget:
        return [sentence]
    for boundary in (PHRASE, CLAUSE):
        parts = boundary.split(sentence)
        if len(parts) > 1:
            cuts = [piece for part in parts for piece in cut(part, budget, measure)]
            return pack(cuts, budget, measure)
    return pack(WORD.findall(sentence), budget, measure)


def merge_short(parts: list[str], shortest: int, budget: int, measure: Measure) -> list[str]:
    """Join a very short part with a neighbour where the two fit the budget together."""
    merged: list[str] = []
    for part in parts:
        short = merged and (measure(part) < shortest or measure(merged[-1]) < shortest)
        if short and measure(joined := f"{merged[-1]} {part}") <= budget:
            merged[-1] = joined
        else:
            merged.append(part)
    return merged


def pieces(text: str, budget_characters: int) -> list[str]:
    """Cut text into pieces of at most this many characters, at the best places.

    Only a single word longer than the budget makes a longer piece.

    Raises:
        TextError: the budget is not positive.
    """
    if budget_characters < 1:
        raise TextError(
            f"a budget of {budget_characters} characters holds no text; give at least 1"
        )
    parts = [
        piece
        for sentence in split_sentences(text)
        for piece in cut(sentence, budget_characters, len)
    ]
    return merge_short(parts, int(SHORT_SHARE * budget_characters), budget_characters, len)
