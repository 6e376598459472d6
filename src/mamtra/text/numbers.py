"""Numbers as words: cardinals, ordinals, decimals, years, decades, fractions and ranges."""

import re
from functools import lru_cache

from mamtra.text.rules import rule

NUMBER = r"(?:(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+)"
AMOUNT = rf"(?:(?:\d+ )?\d+/\d+|-?{NUMBER}(?: ?- ?{NUMBER})?)"

LONGEST_CARDINAL = 15  # digits; a longer number is a code, and is read digit by digit
YEARS = range(1100, 2100)
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def plain_words(words: str) -> str:
    """Drop the commas and hyphens of a written-out number; in speech they would be pauses."""
    return words.replace(",", "").replace("-", " ")


@lru_cache(maxsize=4096)
def cardinal(value: int) -> str:
    """Say how many."""
    from num2words import num2words

    return plain_words(num2words(value))


@lru_cache(maxsize=512)
def ordinal(value: int) -> str:
    """Say which place: first, second, twenty first."""
    from num2words import num2words

    return plain_words(num2words(value, to="ordinal"))


def digits(written: str) -> str:
    """Say a number digit by digit; anything else in it is left out."""
    return " ".join(DIGITS[int(digit)] for digit in written if digit.isdecimal())


def number(written: str) -> str:
    """Say a number as it is written: with thousands commas, a decimal point or a minus sign."""
    if written.startswith("-"):
        return f"minus {number(written[1:])}"
    whole, point, decimals = written.replace(",", "").partition(".")
    if len(whole) > LONGEST_CARDINAL or (len(whole) > 1 and whole.startswith("0")):
        spoken = digits(whole)
    else:
        spoken = cardinal(int(whole)) if whole else ""
    return f"{spoken} point {digits(decimals)}".strip() if point else spoken


def year(written: str) -> str:
    """Say a year: nineteen oh five, two thousand, twenty twenty four."""
    value = int(written)
    hundreds, rest = divmod(value, 100)
    if not 1010 <= value < 2100 or 2000 <= value < 2010:
        return cardinal(value).replace(" and ", " ")
    if not rest:
        return f"{cardinal(hundreds)} hundred"
    return f"{cardinal(hundreds)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def number_or_year(written: str) -> str:
    """Say a bare number; four digits that could be a year are read as one."""
    is_year = len(written) == 4 and written.isdecimal() and int(written) in YEARS
    return year(written) if is_year else number(written)


def plural(words: str) -> str:
    """Say more than one of the last word: nineties, sixes, thirds."""
    if words.endswith(("s", "x", "sh", "ch")):
        return f"{words}es"
    return f"{words[:-1]}ies" if words.endswith("ty") else f"{words}s"


def fraction(whole: str, above: str, below: str) -> str:
    """Say a fraction: one half, five and three quarters, seven over three hundred."""
    if max(len(above), len(below)) > LONGEST_CARDINAL:
        return f"{whole and number(whole)} {number(above)} over {number(below)}".strip()
    parts, size = int(above), int(below)
    named = {2: "half", 4: "quarter"}.get(size, ordinal(size) if 2 < size <= 100 else "")
    if not named or not 0 < parts < size:
        spoken = f"{number(above)} over {number(below)}"
    elif parts == 1:
        spoken = f"{'a' if whole else 'one'} {named}"
    else:
        spoken = f"{cardinal(parts)} {'halves' if size == 2 else plural(named)}"
    return f"{number(whole)} and {spoken}" if whole else spoken


FRACTION = re.compile(r"(?:(\d+) )?(\d+)/(\d+)")
RANGE = re.compile(rf"(-?{NUMBER})(?: ?- ?({NUMBER}))?")


def amount(written: str) -> str:
    """Say what ``AMOUNT`` matched: a number, a range or a fraction."""
    if parts := FRACTION.fullmatch(written):
        return fraction(parts[1] or "", parts[2], parts[3])
    low, high = re.fullmatch(RANGE, written).groups()  # pyright: ignore[reportOptionalMemberAccess]
    return f"{number(low)} to {number(high)}" if high else number(low)


def is_one(written: str) -> bool:
    """Whether a unit after this amount stays in the singular."""
    above, over, below = written.partition("/")
    if over:
        return " " not in above and len(above) <= len(below) and above < below
    return written in ("1", "-1")


def out_of(match: re.Match[str]) -> str:
    """Say two equal numbers or a share of a hundred: fifty fifty, ten out of ten."""
    above, below = match[1], match[2]
    if above == below in ("10", "5", "100") or (below == "10" and int(above) > 3):
        return f" {number(above)} out of {number(below)} "
    if above == below or int(above) + int(below) == 100:
        return f" {number(above)} {number(below)} "
    return match[0]


def without_blanks(match: re.Match[str]) -> str:
    """Write figures in groups as one number with commas."""
    return re.sub(r"[\s.,]", ",", match[0])


def continental(match: re.Match[str]) -> str:
    """Write a number with a decimal comma the English way."""
    return f"{match[1].replace('.', '').replace(' ', '')}.{match[2]}"


def pair(written: str) -> str:
    """Say three or four figures as two numbers: nineteen twenty, seven twenty."""
    hundreds, rest = int(written) // 100, int(written) % 100
    if rest == 0 or len(written) < 3 or rest < 10:
        return number(written)
    return f"{cardinal(hundreds)} {cardinal(rest)}"


def the_ones(match: re.Match[str]) -> str:
    """Say 49ers: forty niners."""
    words = cardinal(int(match[1]))
    return f" {words}{'rs' if words.endswith('e') else 'ers'} "


START = r"(?<![\w.\-])"
STEPS = "(?:[Ll]ap|[Pp]age|[Qq]uestion|[Ss]tep|[Ss]lide|[Ll]evel|[Pp]art|[Ee]pisode|[Rr]ound)"
SIDE_BY_SIDE = r"(?= (?:time|beat|meter|rhythm|signature|vision)\b)"
# said in place of so many: hundreds of dollars
ROUND = {
    "10": "tens", "100": "hundreds", "1000": "thousands", "10000": "tens of thousands",
    "100000": "hundreds of thousands", "1000000": "millions",
}  # fmt: skip
# figures in the groups of other countries, before anything reads them
GROUPED = (
    rule(
        r"(?<![\w.,$£€'])(1(?:0{1,6}|(?:0{0,2},000|,000,000)))s(?= of\b)",
        lambda m: ROUND[m[1].replace(",", "")],
    ),
    rule(r"(?<=[a-z] of )1,?000s\b", "thousands"),
    rule(r"(?<![\w.,'])[1-9]\d{0,2}(?:'\d{3})+(?![\d'\"])", lambda m: m[0].replace("'", ",")),
    rule(
        r"(?<![\w.,])\d{1,3}(?:\.\d{3})+,\d{1,2}(?![\w,]|\.\d)",
        lambda m: m[0].replace(".", "").replace(",", "."),
    ),
    rule(r"(?<![\d.,])(?<!\d )\d{1,2}(?:,\d{2})+,\d{3}(?![\d,])", lambda m: m[0].replace(",", "")),
    rule(r"(?<![\w.,])(\d{1,3}(?: \d{3})+|\d+),(\d{1,2})(?!\d|[.,:/]\d|,)", continental),
    rule(
        r"(?<![\d.,:/+-])(?<!\d )[1-9]\d{0,2}(?: \d{3})+(?![\d-]|[.,]\d{3}| \d|:\d)", without_blanks
    ),
    rule(
        r"(?<![\w.])(?!\d{3}(?:\.\d{3}){3}(?!\.))[1-9]\d{0,2}(?:\.\d{3}){2,}(?![\w]|\.\d)",
        without_blanks,
    ),
    rule(
        r"(?<![\w.$£€-])(\d{3,4}) ?[xX] ?(\d{3,4})(?![\w.])",
        lambda m: f" {pair(m[1])} by {pair(m[2])} ",
    ),
    rule(
        r"(?<![\w.,$£€-])(\d{3,4})([pi])(?=\d{2}\b|\b(?!['-]))",
        lambda m: f" {pair(m[1])} {'pee' if m[2] == 'p' else 'eye'} ",
    ),
    rule(r"(?<=€)(\d{1,3})\.(\d{3})(?![\d.])", r"\1,\2"),
    rule(r"(?<![\w.])(\d{1,2})x (?=\d)", r"\1 times "),
    # a whole number and a fraction, with a hyphen as in recipes
    rule(
        r"(?<![\w./,-])(\d{1,3})-"
        r"(?=(?:1/[2-9]|2/3|3/[458]|[57]/8|[1-9]/1[06]|1[135]/16)(?![\w/.]))",
        r"\1 ",
    ),
    rule(
        r"(?<=\d)[eE]([-+]?)(?=\d{1,3}\b)",
        lambda m: f" times ten to the power of {m[1][:1].replace('+', '')}",
    ),
)
RULES = (
    rule(r"\b24/7/365\b", " twenty four seven three sixty five "),
    rule(r"\b24[x/]7\b", " twenty four seven "),
    rule(rf"\b({STEPS}) (\d{{1,4}})/(\d{{1,4}})(?![\w/]|\.\d)", r"\1 \2 of \3"),
    rule(r"\b9/11\b", " nine eleven "),
    rule(r"\b50-50\b", " fifty fifty "),
    rule(r"\b([Oo]dds (?:of|at|are|were)? ?)(\d{1,4})/(\d{1,3})(?![\w/])", r"\1\2 to \3"),
    rule(r"(?<![\w./])(\d+)/(\d+)(?:rds?|ths?|nds)\b",
         lambda m: f" {fraction('', m[1], m[2])} "),
    rule(r"(?<![\w./])(\d\.\d)/(5|10|100)(?![\w/]|\.\d)", r"\1 out of \2"),
    rule(rf"(?<![\w./])(\d{{1,2}})/(\d{{1,2}}){SIDE_BY_SIDE}",
         lambda m: f" {number(m[1])} {number(m[2])} "),
    rule(r"(?<![\w./])(\d{1,3})/(\d{1,3})(?![\w/]|\.\d)(?! (?:of|cup|inch|mile|tea|table)s?)",
         out_of),
    rule(r"(?<![\w.,])(\d\d)ers\b", the_ones),
    rule(
        r"(?<![\w./])(?:(\d+) )?(\d+)/(\d+)(?![\w/]|\.\d)",
        lambda m: f" {fraction(m[1] or '', m[2], m[3])} ",
    ),
    rule(r"(?i)(?<![\w.])(\d{1,15}|\d{1,3}(?:,\d{3}){1,4})(?:st|nd|rd|th)\b",
         lambda m: f" {ordinal(int(m[1].replace(',', '')))} "),
    rule(r"(?<!\d)\d+(?:\.\d+){2,}", lambda m: f" {' point '.join(map(number, m[0].split('.')))} "),
    rule(rf"{START}({NUMBER}) ?- ?(\d+(?:\.\d+)?)(?= ?= ?-?\d)",
         lambda m: f" {number(m[1])} minus {number(m[2])} "),
    rule(rf"{START}({NUMBER}) ?- ?({NUMBER})(?!\w|-\d|\.\d)",
         lambda m: f" {number_or_year(m[1])} to {number_or_year(m[2])} "),
    rule(r"(?<=\d) ?[xX*] ?(?=10 ?(?:\^|to the power))", " times "),
    rule(r"(?<=\d) ?[xX*] ?(?=\d)", " by "),
    rule(r"(?<=\d)x(?= ?[+=)^]| -| (?:minus|squared|cubed|to the power)\b)", " ex"),
    rule(r"(?<=\d)x\b", " times"),
    rule(r"(?<![\w)])-(?=\.?\d)", " minus "),
    rule(rf"{NUMBER}", lambda m: f" {number(m[0])} "),
)  # fmt: skip
