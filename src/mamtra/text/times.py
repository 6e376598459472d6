"""Times of day, durations, and chapter and verse."""

import re

from mamtra.text.numbers import cardinal, number
from mamtra.text.rules import one_of, rule

HALVES = {"a": "ay em", "p": "pee em"}
BOOKS = (
    "Genesis", "Exodus", "Leviticus", "Numbers", "Deuteronomy", "Joshua", "Judges", "Ruth",
    "Samuel", "Kings", "Chronicles", "Ezra", "Nehemiah", "Esther", "Job", "Psalm", "Psalms",
    "Proverbs", "Ecclesiastes", "Isaiah", "Jeremiah", "Lamentations", "Ezekiel", "Daniel", "Hosea",
    "Joel", "Amos", "Obadiah", "Jonah", "Micah", "Nahum", "Habakkuk", "Zephaniah", "Haggai",
    "Zechariah", "Malachi", "Matthew", "Mark", "Luke", "John", "Acts", "Romans", "Corinthians",
    "Galatians", "Ephesians", "Philippians", "Colossians", "Thessalonians", "Timothy", "Titus",
    "Philemon", "Hebrews", "James", "Peter", "Jude", "Revelation", "Surah", "Sura", "Quran",
)  # fmt: skip
# before the minutes and seconds of a race
RESULT = (
    r"(?i:\b(?:(?:time|record|pace) (?:was|of|is)|best (?:was|of)|clocked"
    r"|(?:finish(?:ed)?|ran)(?: it)? in|\d+ ?(?:k|km|kilometers?|miles?) in) )"
)
# before a chapter and a verse
SHORT_BOOKS = {
    "Gen": "Genesis", "Exod": "Exodus", "Lev": "Leviticus", "Num": "Numbers",
    "Deut": "Deuteronomy", "Josh": "Joshua", "Judg": "Judges", "Sam": "Samuel",
    "Chron": "Chronicles", "Neh": "Nehemiah", "Ps": "Psalm", "Prov": "Proverbs",
    "Eccl": "Ecclesiastes", "Isa": "Isaiah", "Jer": "Jeremiah", "Ezek": "Ezekiel",
    "Dan": "Daniel", "Hos": "Hosea", "Mic": "Micah", "Zech": "Zechariah", "Mal": "Malachi",
    "Matt": "Matthew", "Mk": "Mark", "Lk": "Luke", "Jn": "John", "Rom": "Romans",
    "Cor": "Corinthians", "Gal": "Galatians", "Eph": "Ephesians", "Phil": "Philippians",
    "Col": "Colossians", "Thess": "Thessalonians", "Tim": "Timothy", "Heb": "Hebrews",
    "Jas": "James", "Pet": "Peter", "Rev": "Revelation",
}  # fmt: skip
SPANS = {"d": "day", "h": "hour", "m": "minute", "s": "second"}

# before a time of day with seconds; elsewhere 2:17:45 is a length of time
AT_A_TIME = re.compile(r"(?i:\b(?:at|by|until|till|from|to|since|before|after) )$")
ARTICLE = re.compile(r"\b[Aa]n? $")

Match = re.Match[str]


def span(unit: str, count: int) -> str:
    """Say so many hours, minutes or seconds."""
    return f"{cardinal(count)} {SPANS[unit]}{'' if count == 1 else 's'}"


def minutes_of(written: str) -> str:
    """Say the minutes of a time, or the seconds of a result: oh five, thirty."""
    return f"{'oh ' if written[0] == '0' else ''}{cardinal(int(written))}"


def time_of_day(match: Match) -> str:
    """Say a time; figures that are no time stay as they are."""
    hour, minute, second = int(match["hour"]), match["minute"] or "00", match["second"]
    if hour > 24 or int(minute) > 59 or int(second or 0) > 59:
        return match[0]
    half = HALVES[match["half"].lower()] if match["half"] else ""
    before = match.string[max(0, match.start() - 8) : match.start()]
    if second and not half and len(match["hour"]) == 1 and not AT_A_TIME.search(before):
        parts = (("h", hour), ("m", int(minute)), ("s", int(second)))
        if ARTICLE.search(before):  # a two hour three minute run
            return " ".join(span(unit, count).removesuffix("s") for unit, count in parts)
        hours, minutes, seconds = (span(*part) for part in parts)
        return f" {hours} {minutes} and {seconds} "
    if minute != "00":
        minutes = minutes_of(minute)
    elif half or second:
        minutes = "" if half else "hundred"
    else:
        minutes = "o'clock" if 1 <= hour <= 12 else "hundred"
    seconds = f"and {number(str(int(second)))} seconds" if second else ""
    return f" {cardinal(hour)} {minutes} {seconds} {half} "


def military(match: Match) -> str:
    """Say a time of four figures: oh seven hundred, fourteen thirty."""
    hour, minute = match[1], match[2]
    hours = f"oh {cardinal(int(hour[1]))}" if hour[0] == "0" else cardinal(int(hour))
    return f"{hours} {'hundred' if minute == '00' else cardinal(int(minute))} hours"


def duration(match: Match) -> str:
    """Say a length of time in several units: two hours thirty minutes."""
    parts = [f"{part[:-1].strip()} {part[-1]}" for part in re.findall(r"\d+ ?[dhms]", match[0])]
    spoken = [span(unit, int(count)) for count, unit in (part.split() for part in parts)]
    return f" {' '.join(spoken)} "


def verse(match: Match) -> str:
    """Say chapter and verse, or verses."""
    until = f" to {cardinal(int(match[4]))}" if match[4] else ""
    return f"{match[1]} {cardinal(int(match[2]))} {cardinal(int(match[3]))}{until}"


ZONE = (
    r"(?:(?:[ECMP][SD]T|GMT|UTC|BST|CES?T)\b"
    r"|[ECMP]T(?=[.,;:)]| ?$| (?:on|and|to|or|in|for|this|every)\b))"
)
# the dot of p.m. is kept where it also ends the sentence
HALF = rf"(?P<half>[AaPp])(?:\.[Mm]\.(?! +(?!{ZONE})[A-Z]| *$)|\.?[Mm]\b)"
NO_TIME = r"(?![\d:]| ?[AaPp]\.?[Mm]\b)"  # behind chapter and verse
HOURS, MINUTES = r"\d{1,4} ?h(?:rs?|ours?)?", r"\d{1,4} ?m(?:ins?)?"
SECONDS = r"\d{1,4} ?s(?:ecs?)?"

# before dates, which would read 30s as a decade
SPANS_OF_TIME = (
    rule(r"\b(\d+):(\d+)(?= (?:dilution|ratio|scale|odds|mix|mixture|solution)\b)", r"\1 to \2"),
    rule(
        rf"\b({one_of(SHORT_BOOKS)})(?:\.|(?<=Ps|Mk|Lk|Jn)) (?=\d{{1,3}}:\d{{1,3}}{NO_TIME})",
        lambda m: f"{SHORT_BOOKS[m[1]]} ",
    ),
    rule(rf"\b({one_of(BOOKS)}) (\d{{1,3}}):(\d{{1,3}})(?: ?- ?(\d{{1,3}}))?{NO_TIME}", verse),
    rule(
        rf"(?<![\w.])(?:\d{{1,4}} ?d(?:ays?)? )?(?:{HOURS},? ?{MINUTES}(?:,? ?{SECONDS})?"
        rf"|{MINUTES},? ?{SECONDS})(?![\w-])",
        duration,
    ),
    rule(r"\b([01]\d|2[0-4])([0-5]\d) ?h(?:ou)?rs\b", military),
    rule(
        r"\b((?:[Aa]t|[Bb]y|[Ff]rom|[Uu]ntil|[Tt]ill|[Bb]efore|[Aa]fter|[Aa]round) )"
        r"(0[1-9])([0-5]\d)(?![\w-]| \d|[.,:]\d)",
        lambda m: (
            f"{m[1]}oh {cardinal(int(m[2]))} {'hundred' if m[3] == '00' else minutes_of(m[3])}"
        ),
    ),
    rule(r"(?<![\w.])(\d{1,2})h([0-5]\d)(?!\w)", lambda m: f"{span('h', int(m[1]))} {m[2]}"),
)
RULES = (
    rule(
        r"(?<![\w:]):(\d\d)(?= (?:left|remaining|to (?:go|play)|on the clock)\b)",
        lambda m: f" {number(str(int(m[1])))} second{'' if int(m[1]) == 1 else 's'}",
    ),
    rule(r"(?<=\d) ?- ?(?=\d{1,2}(?::\d\d)? ?[AaPp]\.?[Mm]\b)", " to "),
    rule(r"(?<=:\d\d) ?- ?(?=\d)|(?<=\d[AaPp][Mm])-(?=\d)|(?<=\d [AaPp][Mm]) ?- ?(?=\d)", " to "),
    rule(
        r"(?<![\w:.])(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d))?(?![\d:])"
        rf"(?: ?{HALF})?",
        time_of_day,
    ),
    rule(rf"(?<![\w:.])(?P<hour>\d{{1,2}})\.(?P<minute>[0-5]\d)(?P<second>) ?{HALF}", time_of_day),
    rule(rf"(?<![\w:.])(?P<hour>\d{{1,2}})(?P<minute>)(?P<second>) ?{HALF}", time_of_day),
    rule(
        rf"({RESULT})(2[5-9]|[3-5]\d):00(?![\w:])",
        lambda m: f"{m[1]}{cardinal(int(m[2]))} minutes ",
    ),
    rule(
        rf"({RESULT})(2[5-9]|[3-5]\d):([0-5]\d)(?![\w:])",
        lambda m: f"{m[1]}{cardinal(int(m[2]))} {minutes_of(m[3])} ",
    ),
    rule(r"(?<![\w:.])(\d+):(\d+)(?![\w:])", lambda m: f" {number(m[1])} to {number(m[2])} "),
)
