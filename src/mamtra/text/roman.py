"""Roman numerals: of kings, chapters, wars, centuries and years."""

import re

from mamtra.text.numbers import cardinal, ordinal, year
from mamtra.text.rules import one_of, rule

MONARCHS = (
    "Albert", "Alexander", "Alfonso", "Alfred", "Anne", "Augustus", "Baldwin", "Benedict",
    "Boniface", "Carl", "Catherine", "Charles", "Christian", "Clement", "Constantine", "Cyrus",
    "Darius", "David", "Edmund", "Edward", "Elizabeth", "Emmanuel", "Ferdinand", "Francis",
    "Franz", "Frederick", "Friedrich", "George", "Gregory", "Gustav", "Haakon", "Harald", "Harold",
    "Henry", "Hussein", "Innocent", "Ivan", "James", "Joseph", "Julius", "Leo", "Leopold", "Louis",
    "Ludwig", "Manuel", "Margaret", "Margrethe", "Martin", "Mary", "Maximilian",
    "Mehmed", "Murad", "Napoleon", "Nero", "Nicholas", "Olaf", "Olav", "Oscar", "Otto", "Paul",
    "Pedro", "Peter", "Philip", "Philippe", "Pius", "Ptolemy", "Ramesses", "Ramses", "Richard",
    "Robert", "Rudolf", "Selim", "Sixtus", "Stephen", "Suleiman", "Theodore", "Umberto", "Urban",
    "Victor", "Wilhelm", "William", "Xerxes", "Amenhotep", "Thutmose", "Artaxerxes", "Carlos",
)  # fmt: skip
TITLES = (
    "King", "Queen", "Pope", "Emperor", "Empress", "Tsar", "Czar", "Kaiser", "Sultan", "Prince",
    "Princess", "Duke", "Pharaoh", "Shah", "Tsarina", "Patriarch",
)  # fmt: skip
COUNTED = (
    "War", "Chapter", "Part", "Act", "Section", "Volume", "Phase", "Book", "Article", "Title",
    "Appendix", "Scene", "Bowl", "Level", "Stage", "Mark", "Table", "Figure", "Episode", "Annex",
    "Saturn", "Titan", "Canto", "Schedule", "Olympiad", "Vatican", "Symphony", "Sonata",
)  # fmt: skip
# also counted by letters, so X after them is no ten: Type X, Class C
LETTERED = (
    "Type", "Class", "Category", "Group", "Grade", "Tier", "Zone", "Factor", "Division", "Unit",
    "Region", "Block", "Season", "Round", "Form", "Apollo",
)  # fmt: skip
# "the part I like" and "Peter I know" are no numerals; "Charles III said" is one
PRONOUN = (
    r"(?<= I)(?: (?:am|have|had|think|thought|know|knew|saw|see|love|loved|like|liked|want|wanted"
    r"|will|would|can|could|do|did|said|say|mean|meant|need|hope|guess|believe|should|must|may|might"
    r"|went|gave|told|met|asked|felt|found|took|made|left|called|wrote|heard|wish|just|never|always|really|also|still|don|didn)\b|')"
)
ONES = r"(?:IX|IV|V?I{0,3})"
TENS = r"(?:X[CL]|L?X{0,3})"
END = r"(?!\w)"
NUMERAL = rf"(?=[IVXLC]{{2}}|[IVX]{END})C{{0,3}}{TENS}{ONES}{END}"
LONG = rf"(?=[IVXLC]{{2}})C{{0,3}}{TENS}{ONES}{END}"
NUMBER_OF_NAME = rf"(?=[IVX]{{2}})X{{0,3}}{ONES}{END}(?<! XX)(?<!XXX)"  # XX is a mark for love
NO_NAME = "(?:The|An|His|Her|My|Your|Their|Our|This|That|No|Any|Start|With|By|Via|And|Or|On)"
SMALL = r"(?=[ivxl]{2})(?:x[cl]|l?x{0,3})(?:ix|iv|v?i{0,3})(?!\w)"
YEAR = rf"(?=[MDCLXVI]{{4}})M(?:CM|CD|D?C{{0,3}}){TENS}{ONES}{END}"
MODERN_YEAR = rf"(?=[MDCLXVI]{{3}})MM{TENS}{ONES}{END}"
VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}


def roman(written: str) -> int:
    """Give the value of a Roman numeral."""
    values = [VALUES[letter] for letter in written.upper()]
    return sum(
        -value if value < following else value
        for value, following in zip(values, [*values[1:], 0], strict=True)
    )


def nth_thing(match: re.Match[str]) -> str:
    """Say the number of a chapter or a war."""
    return f"{match[1]} {cardinal(roman(match[2]))}"


def numbered_pages(match: re.Match[str]) -> str:
    """Say the pages before the first chapter, which count in small letters."""
    until = f" to {cardinal(roman(match[3]))}" if match[3] else ""
    return f"{'pages' if match[1] == 'pp' else 'page'} {cardinal(roman(match[2]))}{until}"


KING = rf"{one_of(MONARCHS)}|{one_of(TITLES)} [A-Z][a-z]+"
ANY_CASE = rf"(?i:{one_of((*COUNTED, *LETTERED))})"

RULES = (
    rule(r"\bWWII\b", "World War two"),
    rule(r"\bWWI\b", "World War one"),
    rule(r"\bWW ?(?=[123]\b)", "World War "),
    rule(rf"\b({LONG}|[VX])(?= (?:[Cc]entury|[Cc]enturies)\b)", lambda m: ordinal(roman(m[1]))),
    rule(rf"\b({KING}) ({NUMERAL})(?!{PRONOUN})", lambda m: f"{m[1]} the {ordinal(roman(m[2]))}"),
    rule(rf"\b({one_of(COUNTED)}) ({LONG}|[IVX])\.(?=[A-Z\d](?!\w))", lambda m: f"{nth_thing(m)} "),
    rule(rf"\b({one_of(COUNTED)}) ({NUMERAL})(?!{PRONOUN})", nth_thing),
    rule(rf"\b(pp?)\. ?({SMALL})(?: ?[-–] ?({SMALL}))?", numbered_pages),
    rule(rf"\b({one_of(LETTERED)}) ({LONG}|[IV]{END})(?!{PRONOUN})", nth_thing),
    rule(rf"\b({ANY_CASE}) ({LONG}|{SMALL}|[VX](?=[.,;:)]|$))", nth_thing),
    rule(rf"\b(?!{NO_NAME}\b)([A-Z][a-z]+) ({NUMBER_OF_NAME})(?!')", nth_thing),
    rule(rf"\(({SMALL})\)", lambda m: f"({cardinal(roman(m[1]))})"),
    rule(rf"\b(?:{YEAR}|{MODERN_YEAR})", lambda m: year(str(roman(m[0])))),
)
