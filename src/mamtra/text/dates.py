"""Dates, years and decades.

Where a date in figures is ambiguous, 3/4/2024 is read the American way, the month first.
"""

import re

from mamtra.text.calendar_words import MONTHS, SHORT_MONTHS, WEEKDAYS
from mamtra.text.letters import spell
from mamtra.text.numbers import cardinal, number, number_or_year, ordinal, plural, year
from mamtra.text.rules import one_of, rule

# words after which four digits are always a year, and words that a count would not be followed by
BEFORE_YEAR = r"(?:[Ii]n|[Ss]ince|[Bb]y|[Ff]rom|[Uu]ntil|[Oo]f|[Yy]ear|[Aa]fter|[Bb]efore|[Cc]irca)"
NOT_COUNTED = r"(?:was|is|has|as|its|this|does|us|always|perhaps|across|plus|versus|less|unless)\b"

EVENTS = "(?:elections|olympics|games|finals|playoffs|results|awards|championships|earnings)"
# words after which 30s are seconds, not the thirties
BEFORE_SECONDS = (
    "(?:an?|for|took|takes?|after|every|within|wait|under|than|about|lasts?|lasted|least|most"
    "|nearly|only|exactly|another|just|per|by|at|to|under|over|up to)"
)
ANY_MONTH = rf"(?:{one_of(MONTHS)}|{one_of(SHORT_MONTHS)}\b)"

Match = re.Match[str]


def century(last_two: str) -> str:
    """Give the century that a year written with two digits most likely means."""
    return "20" if last_two < "50" else "19"


def spoken_date(month: int, day: int, written_year: str | None) -> str:
    """Say a month, a day and perhaps a year."""
    spoken = f"{MONTHS[month - 1]} {ordinal(day)}"
    return f"{spoken}, {number_or_year(written_year)}" if written_year else spoken


def figures(match: Match) -> str:
    """Say a date written in figures; figures that are no date stay as they are."""
    first, second, last = int(match[1]), int(match[3]), match[4]
    european = match[2] == "." or first > 12
    month, day = (second, first) if european else (first, second)
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return match[0]
    return spoken_date(month, day, last if len(last) == 4 else century(last) + last)


def iso_date(match: Match) -> str:
    """Say a date written as year-month-day."""
    month, day = int(match[3]), int(match[4])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return match[0]
    return f"{spoken_date(month, day, match[1])} "


def hyphened_date(match: Match) -> str:
    """Say a date written as day-Month-year."""
    day, written = int(match["day"]), match["year"]
    if not 1 <= day <= 31:
        return match[0]
    full = written if len(written) == 4 else century(written) + written
    return f"the {ordinal(day)} of {SHORT_MONTHS[match['month'][:3]]}, {year(full)}"


def month_and_day(match: Match) -> str:
    """Say a date without a year: due 11/30."""
    month, day = int(match[2]), int(match[3])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return match[0]
    return f"{match[1]}{spoken_date(month, day, None)}"


def named_date(match: Match) -> str:
    """Say a date whose month is named: March 3rd, 2024, or days up to another."""
    month, day, until, written_year = match["month"], match["day"], match["until"], match["year"]
    if not 1 <= int(day) <= 31:
        return match[0]
    spoken = f"{SHORT_MONTHS.get(month[:3], month)} {ordinal(int(day))}"
    spoken += f" to {ordinal(int(until))}" if until else ""
    return f"{spoken}, {year(written_year)}" if written_year else spoken


def day_first(match: Match) -> str:
    """Say a date whose day stands first: 3 March 2024."""
    if not 1 <= int(match["day"]) <= 31:
        return match[0]
    until = f" to the {ordinal(int(match['until']))}" if match["until"] else ""
    spoken = f"the {ordinal(int(match['day']))}{until} of {SHORT_MONTHS[match['month'][:3]]}"
    return f"{spoken}, {year(match['year'])}" if match["year"] else spoken


def tens(written: str) -> str:
    """Say a decade of some century: eighties."""
    return plural(cardinal(int(written)) if written != "00" else "hundred")


def decade(match: Match) -> str:
    """Say a decade of a known century: nineteen nineties."""
    return plural(year(match[1] + match[2]))


MONTH = rf"(?P<month>{one_of(MONTHS)}|{one_of(SHORT_MONTHS)}\b\.?)"
TH = r"(?:st|nd|rd|th)?"
YEAR = r"(?P<year>\d{4})(?![\d:]|,\d)"
BEFORE_MONTH = (
    "(?:[Ii]n|[Ss]ince|[Uu]ntil|[Tt]ill|[Ll]ast|[Nn]ext|[Tt]his|[Ee]very|[Ee]arly|[Ll]ate|[Mm]id"
    "|[Tt]hrough)"
)
BEFORE_DAY = "(?:[Oo]n|[Bb]y|[Uu]ntil|[Tt]ill|[Ll]ast|[Nn]ext|[Tt]his|[Ee]very|[Ss]ince)"
SHORT_DAYS = set(WEEKDAYS) - {"Sun"}  # which is a word as well
CLEAR_MONTHS = set(SHORT_MONTHS) - {"May", "Mar"}  # which are other words as well
# also where the text has no figures
DAYS = (
    rule(
        rf"\b({BEFORE_DAY}) ({one_of(SHORT_DAYS)})\b(?!['&-]|\.\w)"
        rf"(?:\.(?= [a-z\d]|,| {ANY_MONTH}\.? \d))?",
        lambda m: f"{m[1]} {WEEKDAYS[m[2]]}",
    ),
    rule(
        rf"\b({BEFORE_MONTH}[ -])({one_of(CLEAR_MONTHS)})\b(?!['&-]|\.?\w|\.? \d)"
        r"(?:\.(?= [a-z]|,))?",
        lambda m: f"{m[1]}{SHORT_MONTHS[m[2]]}",
    ),
    rule(r"\b(Thurs|Thur|Tues)\b(?!\.)", lambda m: WEEKDAYS[m[1]]),
    rule(r"\b(Mon|Tues?|Wed|Thu(?:rs?)?|Fri)(?=\. ?$)", lambda m: WEEKDAYS[m[1]]),
    rule(r"(?<=\b[Oo]n) (Sat|Sun)(?:(?=\. ?$)|\.(?= [a-z]))", lambda m: f" {WEEKDAYS[m[1]]}"),
)
RULES = (
    rule(
        rf"\b({one_of(WEEKDAYS)})(?:\.(?=,? [A-Z\d]|,)|(?=,? (?:{ANY_MONTH})\b)"
        rf"|(?=,? \d{{1,2}}(?:st|nd|rd|th|(?: ?- ?| to )\d|[:/.]\d| ?[AaPp]\.?[Mm]\b"
        rf"| {ANY_MONTH})))",
        lambda m: WEEKDAYS[m[1]],
    ),
    rule(r"(?<=\d)T(?=\d\d:\d\d)", " "),
    rule(r"(?<![\d/.-])([12]\d{3})([-/.])(\d{1,2})\2(\d{1,2})(?![\d/-]|\.\d)", iso_date),
    rule(
        rf"(?<![\w-])(?P<day>\d{{1,2}})-(?P<month>{one_of(MONTHS)}|{one_of(SHORT_MONTHS)})"
        r"-(?P<year>\d{4}|\d\d)(?![\w-])",
        hyphened_date,
    ),
    rule(r"(?<![\d/.-])(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d{2})(?![\d/]|[.-]\d)", figures),
    rule(
        rf"\b{MONTH} (?P<day>\d{{1,2}}){TH}(?: ?- ?(?P<until>\d{{1,2}}){TH})?"
        rf"(?![\d%]|[.,:]\d| ?[AaPp]\.?[Mm]\b)(?:,? {YEAR})?",
        named_date,
    ),
    rule(
        rf"(?<![\w.,:/-])(?:[Tt]he )?(?P<day>\d{{1,2}}){TH}(?: ?- ?(?P<until>\d{{1,2}}){TH})? "
        rf"(?:of )?{MONTH}(?!\w)(?:,? {YEAR})?",
        day_first,
    ),
    rule(
        r"\b((?:[Dd]ue|[Dd]ated?|[Dd]eadline|[Uu]ntil|[Oo]n|[Ss]ince|[Ss]tarting|[Ee]xpires):? "
        rf"|\b(?:{one_of(WEEKDAYS.values())}),? )"
        r"(\d{1,2})/(\d{1,2})(?![\w/]|\.\d)",
        month_and_day,
    ),
    rule(rf"\b{MONTH},? {YEAR}", lambda m: f"{SHORT_MONTHS[m['month'][:3]]} {year(m['year'])}"),
    rule(
        rf"\b({one_of(SHORT_MONTHS)})\.(?= [a-z\d]|,)",
        lambda m: SHORT_MONTHS[m[1]],
    ),
    rule(r"\b([Mm]id|[Ee]arly|[Ll]ate|[Pp]re|[Pp]ost)-(?='?\d)", r"\1 "),
    rule(
        r"(?<!\d)(\d{1,3})s(?= (?:timer|clip|video|delay|break|pause|interval|timeout|window)s?\b)",
        r"\1 sec",
    ),
    rule(r"(?<==)(\d{1,3})s\b", r"\1 sec"),
    rule(rf"\b({BEFORE_SECONDS}) (\d{{1,3}})s\b", r"\1 \2 sec"),
    rule(r"(?<![\w.$£€'-])'?([1-9]\d)(\d0)'?s\b", decade),
    rule(r"(?<![\w.$£€])'(\d0)'?s\b", lambda m: f" {tens(m[1])}"),
    rule(r"(?<![\w.$£€'-])(\d0)'?s\b", lambda m: tens(m[1])),
    rule(
        r"(?<!\w)'(\d\d)\b(?!')", lambda m: f" {year('20' + m[1] if m[1] < '50' else '19' + m[1])} "
    ),
    rule(r"\b((?:1[1-9]|20)\d\d)/(\d\d)\b(?!/)", lambda m: f"{year(m[1])} {number(m[2])}"),
    rule(r"\b(FY|CY)[ -]?'?(?=\d)", lambda m: f" {spell(m[1])} "),
    rule(
        r"\b([Tt]he|[Tt]his|[Ll]ast|[Nn]ext) (1[89]\d\d|20[1-9]\d)(?= [a-z])",
        lambda m: f"{m[1]} {year(m[2])}",
    ),
    rule(rf"\b(20[0-4]\d)(?= {EVENTS}\b)", lambda m: year(m[1])),
    rule(rf"\b({BEFORE_YEAR} )(1\d{{3}}|20\d\d)(?![\w-]|[.,:]\d)", lambda m: m[1] + year(m[2])),
    rule(
        rf"(?<![\w.,$£€#/-])(1[1-9]\d\d|20\d\d)(?![\w°%/-]|[.,:]\d| (?!{NOT_COUNTED})[a-z]+s\b)",
        lambda m: year(m[1]),
    ),
)
