"""Long text into parts that fit a model, without losing or doubling a word.

Text is cut where a reader would pause: between sentences first, then after ``;`` or ``:``, then
after a comma, and between words only where nothing else helps. Figures and abbreviations ("$3.50",
"Dr. Smith", "2.5 kg", "v2.0") are never cut, and a word only where it is longer than a piece.
"""

import re
from collections.abc import Callable, Iterable, Iterator

from mamtra.errors import TextError
from mamtra.text.abbreviations import FINAL, INNER, NUMBERED
from mamtra.text.calendar_words import MONTHS, SHORT_MONTHS, WEEKDAYS
from mamtra.text.informal import CHAT, DOTTED, SIZES, STATES, TIMES
from mamtra.text.rules import LatePattern, one_of
from mamtra.text.times import ZONE
from mamtra.text.units import UNITS
from mamtra.text.windows import check_characters, windows

LANGUAGE = "en"
LONGEST_READ = 1000  # characters that are cut into sentences at once
TAIL = 400
SHORT_SHARE = 0.25  # a piece shorter than this share of the budget joins its neighbour

PHRASE = re.compile(r"(?<=[;:])\s+")
CLAUSE = re.compile(r"(?<=[,])\s+")
# what a sentence never ends with: a title, an abbreviation that goes on, a word in phones half read
NOT_AN_END = re.compile(
    r"(?:\b(?:Dr|Mr|Mrs|Ms|Mx|Cpt|Ft|Prof|vs|e\.g|i\.e|approx|[Ii]ntl|[Nn]atl)\.|\{[^{}]*)$"
)
# what may stand before more of its sentence, if that begins as no sentence does
ABBREVIATED = LatePattern(
    rf"(?<![\w.])(?:{one_of((*INNER, *DOTTED, *FINAL))}|(?i:{one_of(CHAT)}))\.$"
    rf"|, {one_of(STATES)}\.$"
)
GOES_ON = LatePattern(r"[a-z(]")
COUNTED = LatePattern(
    rf"(?<![\w.])(?:(?<!a )(?<!an )|(?=[A-Z])){one_of((*INNER, *NUMBERED, *TIMES))}\.$"
    rf"|(?:^|[,;:(] ){one_of(map(str.capitalize, INNER))}\.$"
)
FIGURES = LatePattern(r"#?\(?[A-Z]{0,2}-?\d|(?!I\b)[IVXLC]+\b")
# units and sizes behind a figure, and what may follow: 5 ft. 11 in., 2 tbsp. oil
UNIT = one_of({unit.removesuffix(".") for unit in UNITS} - {"°", "%"})
MEASURED = LatePattern(rf"[\d¼-¾⅐-⅞][ -]?(?:sq\. ?|cu\. ?)?(?:{UNIT}|{one_of(SIZES)})\.$")
SMALLER = LatePattern(rf"[a-z(]|(?:[NS][EW]?|[EW]) of\b|[\d/.¼-¾⅐-⅞]+ ?{UNIT}(?![\w'])")
# days before a date or a time, and times of day before their zone
DAY = LatePattern(rf"(?<!the )\b{one_of(WEEKDAYS)}\.$")
A_MONTH = rf"{one_of((*SHORT_MONTHS, *MONTHS))}\b\.?"
DATE = LatePattern(
    rf"[a-z–-]|{A_MONTH} \d|\d{{1,2}}(?: {A_MONTH}|/\d|[:.]\d\d| ?[AaPp]\.?[Mm]\b| ?[-–] ?\d)"
)
HALF = LatePattern(r"\d ?[ap]\.m\.$")
ENDINGS = (
    (ABBREVIATED, GOES_ON),
    (COUNTED, FIGURES),
    (MEASURED, SMALLER),
    (DAY, DATE),
    (HALF, LatePattern(ZONE)),
)
# a word in phones is one word; so is anything else between blanks
JOINING = "and|but|or|so|because|when|while|which|that|who|if|as|before|after"
# where a text is best cut in two, and how far from its middle that is worth going, as a share of it
CUTS = (
    (re.compile(r"(?<=[.?!])\s"), 0.3),
    (re.compile(r"(?<=[;:])\s"), 0.2),
    (re.compile(r"(?<=,)\s"), 0.15),
    (re.compile(rf"\s(?=(?:{JOINING})\s)"), 0.1),
)
FEWEST_WORDS = 3  # in a half
SPAN = re.compile(r"\{[^{}]*\}|[^{}]+|[{}]")
WORD = re.compile(r"(?:\{[^{}]*\}|\S)+")

Measure = Callable[[str], int]


def segmented(text: str) -> Iterator[str]:
    """Cut text at sentence ends, all blanks kept; a long text window by window.

    The last sentence of a window is read again with the next one, which may go on with it.
    """
    from sentencex import segment  # pyright: ignore[reportAttributeAccessIssue]

    rest = ""
    for window in windows(text, LONGEST_READ):
        *whole, rest = [*segment(LANGUAGE, rest + window)] or [""]
        yield from whole
        if len(rest) > LONGEST_READ:
            yield rest
            rest = ""
    yield rest


def goes_on(tail: str, part: str) -> bool:
    """Whether a sentence that seems to have ended goes on in the part that follows."""
    if NOT_AN_END.search(tail):
        return True
    # what follows is looked at first: it is short, and seldom goes on
    return any(
        after.compiled.match(part) and before.compiled.search(tail) for before, after in ENDINGS
    )


def split_sentences(text: str) -> list[str]:
    """Cut text into sentences, each without blanks around it.

    A cut is made at a blank only, so that no word is ever broken; blanks in a row become one.
    """
    joined: list[list[str]] = []
    tail = ""  # of the last sentence, as much as tells whether it has ended
    for part in segmented(text):
        at_blank = joined and (tail[-1:].isspace() or part[:1].isspace())
        if joined and (not at_blank or goes_on(tail.rstrip(), part.lstrip())):
            joined[-1].append(part)
            tail = (tail + part)[-TAIL:]
        else:
            joined.append([part])
            tail = part[-TAIL:]
    return [sentence for parts in joined if (sentence := " ".join("".join(parts).split()))]


def pack(parts: Iterable[str], budget: int, measure: Measure) -> list[str]:
    """Join neighbours as long as the joined part fits the budget."""
    packed: list[str] = []
    for part in parts:
        if packed and measure(joined := f"{packed[-1]} {part}") <= budget:
            packed[-1] = joined
        else:
            packed.append(part)
    return packed


def cut_word(word: str, budget: int, measure: Measure) -> list[str]:
    """Cut one word that is over the budget in halves, until they fit; phones are never broken."""
    if measure(word) <= budget or len(word) < 2:
        return [word]
    parts = SPAN.findall(word)
    if len(parts) == 1 and word.startswith("{"):
        phones = word.strip("{}").split()
        half = len(phones) // 2
        parts = [f"{{{' '.join(phones[:half])}}}", f"{{{' '.join(phones[half:])}}}"]
        if not half:
            return [word]
    elif len(parts) == 1:
        parts = [word[: len(word) // 2], word[len(word) // 2 :]]
    return [piece for part in parts for piece in cut_word(part, budget, measure)]


def cut(sentence: str, budget: int, measure: Measure) -> list[str]:
    """Cut one sentence that is over the budget.

    The coarsest cut that fits wins: at ``;`` and ``:``, then at commas, then between words; a word
    is cut only where it is over the budget by itself.
    """
    if measure(sentence) <= budget:
        return [sentence]
    for boundary in (PHRASE, CLAUSE):
        parts = boundary.split(sentence)
        if len(parts) > 1:
            cuts = [piece for part in parts for piece in cut(part, budget, measure)]
            return pack(cuts, budget, measure)
    words = [part for word in WORD.findall(sentence) for part in cut_word(word, budget, measure)]
    return pack(words, budget, measure)


def in_two(text: str) -> list[str]:
    """Cut a text into halves of three words or more, near its middle and where a reader pauses.

    None for a text of fewer than six words.
    """
    words = [match.span() for match in WORD.finditer(text)]
    starts = {start for start, _ in words[FEWEST_WORDS : len(words) - FEWEST_WORDS + 1]}

    def cost(start: int) -> float:
        worth = sum(gain for mark, gain in CUTS if mark.match(text, start - 1))
        return abs(2 * start - len(text)) / (2 * len(text)) - worth

    starts = {start for start in starts if text[start - 1].isspace()}
    if not starts:
        return []
    start = min(sorted(starts), key=cost)
    return [text[:start].rstrip(), text[start:]]


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

    Raises:
        TextError: the budget is not positive, or the text holds what is no character.
    """
    check_characters(text)
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
