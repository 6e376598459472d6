"""Dates, years, decades and times of day.

Where a date in figures is ambiguous, 3/4/2024 is read the American way, the month first.
"""

import re

from mamtra.text.numbers import cardinal, number, number_or_year, ordinal, plural, year
from mamtra.text.rules import one_of, rule

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
WEEKDAYS = {
    "Mon": "Monday", "Tue": "Tuesday", "Tues": "Tuesday", "Wed": "Wednesday", "Thu": "Thursday",
    "Thur": "Thursday", "Thurs": "Thursday", "Fri": "Friday", "Sat": "Saturday", "Sun": "Sunday",
}  # fmt: skip
SHORT_MONTHS = {month[:3]: month for month in MONTHS} | {"Sept": "September"}
HALVES = {"a": "ay em", "p": "pee em"}

# words after which four digits are always a year, and words that a count would not be followed by
BEFORE_YEAR = r"(?:[Ii]n|[Ss]ince|[Bb]y|[Ff]rom|[Uu]ntil|[Oo]f|[Yy]ear|[Aa]fter|[Bb]efore|[Cc]irca)"
NOT_COUNTED = r"(?:was|is|has|as|its|this|does|us|always|perhaps|across|plus|versus|less|unless)\b"

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
    month, day = int(match[2]), int(match[3])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return match[0]
    return f"{spoken_date(month, day, match[1])} "


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
    spoken = f"the {ordinal(int(match['day']))} of {SHORT_MONTHS[match['month'][:3]]}"
    return f"{spoken}, {year(match['year'])}" if match["year"] else spoken


def decade(match: Match) -> str:
    """Say a decade: nineteen nineties, the eighties."""
    hundreds, tens = match[1], match[2]
    if hundreds:
        return plural(year(hundreds + tens))
    return plural(cardinal(int(tens)) if tens != "00" else "hundred")


def time_of_day(match: Match) -> str:
    """Say a time; figures that are no time stay as they are."""
    hour, minute, second = int(match["hour"]), match["minute"] or "00", match["second"]
    if hour > 24 or int(minute) > 59 or int(second or 0) > 59:
        return match[0]
    half = HALVES[match["half"].lower()] if match["half"] else ""
    if minute != "00":
        minutes = f"{'oh ' if minute[0] == '0' else ''}{cardinal(int(minute))}"
    elif half or second:
        minutes = "" if half else "hundred"
    else:
        minutes = "o'clock" if 1 <= hour <= 12 else "hundred"
    seconds = f"and {number(str(int(second)))} seconds" if second else ""
    return f" {cardinal(hour)} {minutes} {seconds} {half} "


MONTH = rf"(?P<month>{one_of(MONTHS)}|{one_of(SHORT_MONTHS)}\b\.?)"
TH = r"(?:st|nd|rd|th)?"
YEAR = r"(?P<year>\d{4})(?![\d:]|,\d)"
# the dot of p.m. is kept where it also ends the sentence
HALF = r"(?P<half>[AaPp])(?:\.[Mm]\.(?! +[A-Z]| *$)|\.?[Mm]\b)"

DATES = (
    rule(r"(?<=\d)T(?=\d\d:\d\d)", " "),
    rule(r"(?<![\d-])(\d{4})-(\d{2})-(\d{2})(?![\d-])", iso_date),
    rule(r"(?<![\d/.-])(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d{2})(?![\d/]|[.-]\d)", figures),
    rule(
        rf"\b{MONTH} (?P<day>\d{{1,2}}){TH}(?: ?- ?(?P<until>\d{{1,2}}){TH})?"
        rf"(?![\d:%]|[.,]\d| ?[AaPp]\.?[Mm]\b)(?:,? {YEAR})?",
        named_date,
    ),
    rule(
        rf"\b(?:[Tt]he )?(?P<day>\d{{1,2}}){TH} (?:of )?{MONTH}(?!\w)(?:,? {YEAR})?",
        day_first,
    ),
    rule(rf"\b{MONTH},? {YEAR}", lambda m: f"{SHORT_MONTHS[m['month'][:3]]} {year(m['year'])}"),
    rule(
        rf"\b({one_of(SHORT_MONTHS)})\.(?= [a-z\d]|,)",
        lambda m: SHORT_MONTHS[m[1]],
    ),
    rule(rf"\b({one_of(WEEKDAYS)})\.(?=,? [A-Z\d]|,)", lambda m: WEEKDAYS[m[1]]),
    rule(r"(?<![\w.$£€'-])'?(\d\d)?(\d0)'?s\b", decade),
    rule(
        r"(?<!\w)'(\d\d)\b(?!')", lambda m: f" {year('20' + m[1] if m[1] < '50' else '19' + m[1])} "
    ),
    rule(r"\b((?:1[1-9]|20)\d\d)/(\d\d)\b(?!/)", lambda m: f"{year(m[1])} {number(m[2])}"),
    rule(rf"\b({BEFORE_YEAR} )(1\d{{3}}|20\d\d)(?![\w-]|[.,:]\d)", lambda m: m[1] + year(m[2])),
    rule(
        rf"(?<![\w.,$£€#/-])(1[1-9]\d\d|20\d\d)(?![\w°%/-]|[.,:]\d| (?!{NOT_COUNTED})[a-z]+s\b)",
        lambda m: year(m[1]),
    ),
)

TIMES = (
    rule(r"(?<=\d) ?- ?(?=\d{1,2}(?::\d\d)? ?[AaPp]\.?[Mm]\b)", " to "),
    rule(r"(?<=:\d\d) ?- ?(?=\d)|(?<=\d[AaPp][Mm])-(?=\d)|(?<=\d [AaPp][Mm]) ?- ?(?=\d)", " to "),
    rule(
        r"(?<![\w:.])(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d))?(?![\d:])"
        rf"(?: ?{HALF})?",
        time_of_day,
    ),
    rule(
        rf"(?<![\w:.])(?P<hour>\d{{1,2}})(?P<minute>)(?P<second>) ?{HALF}",
        time_of_day,
    ),
    rule(r"(?<![\w:.])(\d+):(\d+)(?![\w:])", lambda m: f" {number(m[1])} to {number(m[2])} "),
)

RULES = (*DATES, *TIMES)
