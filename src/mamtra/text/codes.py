"""Figures that are names: telephone, card and account numbers, codes, postcodes.

They are said digit by digit, with a pause between groups.
"""

import re

from mamtra.text.letters import spell
from mamtra.text.numbers import cardinal, digits, number
from mamtra.text.rules import one_of, rule

GROUPS = re.compile(r"[0-9]+")
# after these words a number of three digits or more is a name
NAMED = (
    "code", "PIN", "pin", "passcode", "password", "OTP", "ID", "account", "tracking", "serial",
    "confirmation", "reference", "booking", "invoice", "zip", "ZIP", "postcode", "licence",
    "license", "passport", "membership", "extension", "routing", "IMEI",
    "EIN", "VIN", "SKU", "UPC",
)  # fmt: skip
# after these words and "number" a number of four digits or more is a name
NUMBERED = (
    "order", "ticket", "case", "item", "card", "customer", "policy", "claim", "job", "phone",
    "part", "badge", "batch", "lot", "invoice", "report",
)  # fmt: skip
NUMBER_SIGN = re.compile(r"(?:#|no\.|num\.) ?", re.IGNORECASE)
CALLED = r"(?:[Cc]all(?:ed|ing|s)?|[Dd]ial(?:l?ed|l?ing|s)?|[Rr]ing|[Rr]ang|[Pp]hon(?:e|ed|ing))"
ALARMS = "911|999|112|411|311|988"
PROVINCES = {
    "AB": "Alberta", "BC": "British Columbia", "MB": "Manitoba", "NB": "New Brunswick",
    "NL": "Newfoundland", "NS": "Nova Scotia", "NT": "Northwest Territories", "NU": "Nunavut",
    "ON": "Ontario", "PE": "Prince Edward Island", "QC": "Quebec", "SK": "Saskatchewan",
    "YT": "Yukon",
}  # fmt: skip
# what has versions, whose parts are counted and not read as decimals
VERSIONED = (
    "(?:[Vv]ersion|Python|Java|Ubuntu|Debian|Fedora|Android|iOS|macOS|Node|Node\\.js|Go|Rust|Ruby|PHP"
    "|Perl|Kotlin|Swift|Django|Rails|React|Angular|Vue|TypeScript|PyTorch|TensorFlow|NumPy|CUDA|GCC"
    "|LLVM|Kubernetes|Docker|PostgreSQL|Postgres|MySQL|Chrome|Firefox|Linux|kernel)"
)
TENS_OF_HUNDREDS = re.compile(r"[1-9]00")


def grouped(written: str) -> str:
    """Say figures digit by digit, with a pause between groups."""
    return ", ".join(digits(group) for group in GROUPS.findall(written))


def phone(match: re.Match[str]) -> str:
    """Say a phone number in its groups."""
    plus = "plus " if match[0].startswith("+") else ""
    return f" {plus}{grouped(match[0])} "


def vanity(match: re.Match[str]) -> str:
    """Say a phone number that ends in words: one eight hundred flowers."""
    area = match[2]
    hundred = TENS_OF_HUNDREDS.fullmatch(area)
    said = f"{cardinal(int(area[0]))} hundred" if hundred else digits(area)
    return f" {'one ' if match[1] else ''}{said} {match[3].replace('-', ' ').lower()} "


def one_by_one(written: str) -> str:
    """Say letters and digits one after the other."""
    return " ".join(digits(part) if part.isdecimal() else spell(part) for part in written)


def hexadecimal(match: re.Match[str]) -> str:
    """Say a number of base sixteen, digit by digit."""
    return f" zero ex {one_by_one(match[1])} "


def network_address(match: re.Match[str]) -> str:
    """Say an address of four numbers, perhaps with a port."""
    parts = " dot ".join(cardinal(int(part)) for part in match[1].split("."))
    return f" {parts} port {number(match[2])} " if match[2] else f" {parts} "


def postcode(match: re.Match[str]) -> str:
    """Say a postcode of letters and digits, and the province before it by its name."""
    halves = (
        " ".join(spell(c) if c.isalpha() else digits(c) for c in half)
        for half in match.groups()[1:]
    )
    return f" {PROVINCES.get(match[1] or '', '')} {', '.join(halves)} "


def version(match: re.Match[str]) -> str:
    """Say the version of a program: three point eleven."""
    zero = "zero " if match[3][0] == "0" else ""
    return f"{match[1]}{cardinal(int(match[2]))} point {zero}{cardinal(int(match[3]))}"


FREE = r"(?<![\w.,+-])"  # before a number that stands for itself
DONE = r"(?![\w-]|[.,]\d)"

RULES = (
    rule(r"(?<![\w.,])(\d{1,3}(?:\.\d{1,3}){3})(?::(\d{2,5}))?(?!\w|[.:]\d)", network_address),
    rule(rf"{FREE}[3-6]\d{{3}}(?:[ -]\d{{4}}){{3}}{DONE}", phone),
    rule(rf"{FREE}3[47]\d\d[ -]\d{{6}}[ -]\d{{5}}{DONE}", phone),
    rule(r"\b(1[ -])?(\d{3})-([A-Z]{2,}(?:-[A-Z]+)*|[A-Z]{3,})\b", vanity),
    rule(r"\b0x([0-9A-Fa-f]{1,32})\b", hexadecimal),
    rule(r"(?i)(?<![\w-])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![\w-])",
         lambda m: ", ".join(one_by_one(part) for part in m[0].split("-"))),
    rule(r"(?<![\w.])802\.11([a-z]{0,2})(?!\w)",
         lambda m: f"eight oh two dot eleven {spell(m[1])}"),
    # the paragraphs of a tax law: 401(k), 501(c)(3)
    rule(r"(?<![\w.,$£€])([1-9])0([1-9])\(([a-z])\)(?:\((\d{1,2})\))?",
         lambda m: f"{digits(m[1])} oh {digits(m[2])} {spell(m[3])} {m[4] or ''}"),
    rule(r"\b((?:[Cc]ard|[Aa]ccount|[Nn]umber|[Pp]hone)(?: \w+)? ending (?:in |with )?)(\d{3,5})\b",
         lambda m: m[1] + digits(m[2])),
    rule(rf"\b(P\.? ?O\.? ?Box #?)(\d{{4,}}){DONE}", lambda m: m[1] + digits(m[2])),
    rule(rf"\b({VERSIONED} )(\d{{1,2}})\.(\d\d){DONE}", version),
    rule(r"\b(ISBN(?:-1[03])?:?) (\d[\d -]{8,16}[\dX])\b",  # its check digit may be an X
         lambda m: f" {m[1]} {digits(m[2])}{' ex' if m[2].endswith('X') else ''} "),
    rule(
        rf"(?<![\w.])(?:\+?\d{{1,3}}[ .-]?)?(?:\(\d{{2,4}}\) ?|\d{{3}}[ .-])"
        rf"\d{{3}}[ .-]\d{{4}}{DONE}",
        phone,
    ),
    rule(rf"{FREE}\d{{3}}-\d{{4}}{DONE}", phone),
    rule(
        rf"(?<![\w.])\+\d{{1,3}}(?:[ .-]?(?:\(0\))?[ -]?\d{{1,5}}){{2,6}}{DONE}",
        phone,
    ),
    rule(rf"(?<![\w.])\(0\d{{1,4}}\) ?\d{{3,8}}(?:[ -]\d{{3,4}}){{0,2}}{DONE}", phone),
    rule(
        rf"{FREE}(?!(?<=\d )\d{{3}}(?: \d{{3}})*(?![ -]?\d))"  # no thousands in groups
        rf"0\d{{1,4}}(?:[ -]\d{{2,8}}){{1,4}}{DONE}",
        phone,
    ),
    rule(rf"{FREE}1[38]00(?:[ -]\d{{2,3}}){{2,3}}{DONE}", phone),
    rule(rf"{FREE}\d{{3}}-\d{{2}}-\d{{4}}{DONE}", phone),
    rule(rf"{FREE}\d{{2}}-\d{{2}}-\d{{2}}(?= \d{{8}}{DONE})", phone),
    rule(
        rf"(?<![\w-])(?:({one_of(PROVINCES)}),? )?([A-Z]\d[A-Z]) ?(\d[A-Z]\d)(?![\w-])",
        postcode,
    ),
    rule(
        r"\b([A-Z]{2}) (\d{5}(?:-\d{4})?)(?!\w|[.,]\d)",
        lambda m: f" {spell(m[1])} {grouped(m[2])} ",
    ),
    rule(r"\b[Ee]xt\.? ?(\d{3,6})\b", lambda m: f"extension {digits(m[1])}"),
    rule(
        rf"(?i)\b({one_of(NUMBERED)} (?:number |no\. ?|num\. ?|# ?))(\d{{4,}}){DONE}",
        lambda m: f"{NUMBER_SIGN.sub('number ', m[1])}{digits(m[2])}",
    ),
    rule(
        rf"\b({one_of(NAMED)})((?: (?:number|no\.|num|code|is|was|of))*:? ?(?:is |# ?)?)"
        rf"(\d{{3,}}(?:[ -]\d{{2,}})*){DONE}",
        lambda m: f"{m[1]}{m[2]}{grouped(m[3])}",
    ),
    rule(rf"\b({CALLED} (?:the |us (?:at|on) |at |on )?)(\d{{3,6}}){DONE}",
         lambda m: m[1] + digits(m[2])),
    rule(rf"(?<![\w.,$£€#/-])({ALARMS})(?= (?:call|operator|dispatch|emergency)s?\b)",
         lambda m: digits(m[1])),
)  # fmt: skip
