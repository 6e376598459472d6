"""From one thing to another of its kind: days, months, times, amounts and ordinals.

A dash between two of a kind is read ``to``. These rules come before dashes become commas.
"""

from mamtra.text.calendar_words import MONTHS, SHORT_MONTHS, WEEKDAYS
from mamtra.text.money import SIGN
from mamtra.text.numbers import NUMBER
from mamtra.text.rules import one_of, rule
from mamtra.text.units import UNIT

DASH = r" ?(?:-|–|—|--) ?"
CLOSE_DASH = r" ?[-–] ?"
NAME_OF_DAY = one_of(set(WEEKDAYS.values()) | set(WEEKDAYS))
DAY = rf"(?:{NAME_OF_DAY}\.?)"
MONTH = rf"(?:{one_of(set(MONTHS) | set(SHORT_MONTHS))}\.?)"
LONG_DAYS = {**WEEKDAYS, **{day: day for day in WEEKDAYS.values()}}
LONG_MONTHS = {**SHORT_MONTHS, **{month: month for month in MONTHS}}
DAY_OF_MONTH = r"\d{1,2}(?:st|nd|rd|th)?"
SCALE = r"(?: ?(?:[kKmMbB]|[mb]n|tn|thousand|million|billion|trillion)\b)?"
HALF = r" ?[AaPp]\.?[Mm]\b\.?"
TIME = rf"\d{{1,2}}(?:[:.]\d\d)?(?:{HALF})?"


RULES = (
    rule(rf"\b({DAY}){DASH}({DAY})(?!\w)",
         lambda m: f"{LONG_DAYS[m[1].rstrip('.')]} to {LONG_DAYS[m[2].rstrip('.')]}"),
    rule(rf"\b({MONTH}){DASH}({MONTH})(?!\w)",
         lambda m: f"{LONG_MONTHS[m[1].rstrip('.')]} to {LONG_MONTHS[m[2].rstrip('.')]}"),
    rule(rf"(?<=\d)({HALF}|(?<=:\d\d)){DASH}(?={TIME})", r"\1 to "),
    rule(rf"\b({MONTH} \d{{1,4}}(?:st|nd|rd|th)?(?:, \d{{4}})?){DASH}(?={MONTH} \d)", r"\1 to "),
    rule(rf"\b({DAY_OF_MONTH} {MONTH}(?: \d{{4}})?){DASH}(?={DAY_OF_MONTH} {MONTH}\b)", r"\1 to "),
    rule(r"\b([A-Z]{1,2}-?\d{1,4})/(?=[A-Z]{1,2}-?\d{1,4}\b)", r"\1, "),
    rule(rf"\b([A-Z]\d{{1,3}}){CLOSE_DASH}(?=[A-Z]\d{{1,3}}\b)(?!(?<=R2-)D2\b)", r"\1 to "),
    rule(rf"(?i)(\d(?:st|nd|rd|th)){CLOSE_DASH}(?=\d+(?:st|nd|rd|th)\b)", r"\1 to "),
    rule(rf"(\d0'?s){CLOSE_DASH}'?(?=\d0'?s\b)", r"\1 to '"),
    rule(rf"(\d0'?s){CLOSE_DASH}(?=\d+0'?s\b)", r"\1 to "),
    rule(r"(?<=\d)x ?[-–] ?(?=\d+(?:\.\d+)?x\b)", " to "),
    rule(r"(?<![\w.,-])(\d{1,3}(?:\.\d+)?([KkMm]))[-–](?=\d{1,3}(?:\.\d+)?\2\b)", r"\1 to "),
    rule(r"(?<![\w/-])(\d{1,2}/\d{1,2}/\d{2,4}) ?[-–] ?(?=\d{1,2}/\d{1,2}/\d{2,4}\b)", r"\1 to "),
    rule(r"(?<!\w)('\d\d)[-–](?='\d\d\b)", r"\1 to "),
    rule(r"(?<![\w.])(\d{1,2}(?::\d\d)?)a ?[-–] ?(\d{1,2}(?::\d\d)?)p\b", r"\1 am to \2 pm"),
    rule(r"\b([Nn]oon|[Mm]idnight) ?[-–] ?(?=\d)", r"\1 to "),
    rule(r"(?<=[\dMm])[-–](?=(?:noon|midnight)\b)", " to "),
    rule(rf"((?<!\w){SIGN} ?{NUMBER}{SCALE}){CLOSE_DASH}(?={SIGN} ?\d)", r"\1 to "),
    rule(rf"(?<![\w.,/])({NUMBER} ?{UNIT})/(?={NUMBER} ?{UNIT}(?!\w))", r"\1, "),
    rule(rf"\b({DAY}) ?(?:&|and) ?({DAY})(?!\w)",
         lambda m: f"{LONG_DAYS[m[1].rstrip('.')]} and {LONG_DAYS[m[2].rstrip('.')]}"),
    rule(rf"(?<![\w/]){NAME_OF_DAY}(?:, {NAME_OF_DAY})+"
         r"(?=[.;:!?)]|$|,? (?:and|or|from|to|at)\b| &)",
         lambda m: ", ".join(LONG_DAYS[day] for day in m[0].split(", "))),
    rule(rf"(?<![\w/]){DAY}(?:/{DAY})+(?![\w/])",
         lambda m: ", ".join(LONG_DAYS[day.rstrip(".")] for day in m[0].split("/"))),
    rule(rf"(?<![\w.,])({NUMBER} ?{UNIT}){CLOSE_DASH}(?={NUMBER} ?{UNIT}(?!\w))", r"\1 to "),
)  # fmt: skip
