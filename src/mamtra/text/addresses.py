"""Web addresses, e-mail addresses, phone numbers and the names of files."""

import re

from mamtra.text.letters import spell
from mamtra.text.numbers import digits, number
from mamtra.text.rules import one_of, rule

MARKS = {
    ".": "dot", "/": "slash", "@": "at", "-": "dash", "_": "underscore", ":": "colon",
    "?": "question mark", "=": "equals", "&": "and", "%": "percent", "#": "hash", "+": "plus",
    "~": "tilde", ",": "comma", ";": "semicolon", "!": "exclamation mark",
}  # fmt: skip
ENDINGS = (
    "com", "org", "net", "edu", "gov", "info", "io", "ai", "app", "dev", "co", "uk", "de", "fr",
    "eu", "us", "ca", "au", "jp", "cn", "in", "nl", "it", "es", "ch", "se", "tv", "me",
)  # fmt: skip
SAID = ("com", "org", "net", "info", "app", "dev", "co", "me", "gov", "it")
SPELLED = set(ENDINGS) - set(SAID)

PARTS = re.compile(r"[a-z']+|\d+|.")
ENDING = one_of(ENDINGS)
LAST = r"[A-Za-z0-9/]"  # a mark at the end of an address belongs to the sentence


def address(written: str) -> str:
    """Say an address part by part."""
    spoken: list[str] = []
    for part in PARTS.findall(written.rstrip("/").lower()):
        if part.isdecimal():
            spoken.append(digits(part) if len(part) > 4 else number(part))
        elif not part[0].isalpha():
            spoken.append(MARKS.get(part, ""))
        elif len(part) == 1 or part == "www" or (part in SPELLED and spoken[-1:] == ["dot"]):
            spoken.append(spell(part))
        else:
            spoken.append(part)
    return f" {' '.join(spoken)} "


def phone(match: re.Match[str]) -> str:
    """Say a phone number in its groups, digit by digit."""
    plus = "plus " if match[0].startswith("+") else ""
    return f" {plus}{', '.join(digits(group) for group in re.findall(r'[0-9]+', match[0]))} "


RULES = (
    rule(rf"(?i)\b(?:https?|ftp)://([^\s<>\"]*{LAST})", lambda m: address(m[1])),
    rule(
        r"(?i)(?<![\w@.+-])[a-z0-9][\w.+-]*@[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}\b",
        lambda m: address(m[0]),
    ),
    rule(
        rf"(?i)(?<![\w@.-])(?:www\.[a-z0-9.-]*[a-z0-9]|(?:[a-z0-9-]+\.)+{ENDING}(?![\w-]|\.\w))"
        rf"(?:/(?:[^\s<>\"]*{LAST})?)?",
        lambda m: address(m[0]),
    ),
    rule(
        r"(?<![\w.])(?:\+?\d{1,3}[ .-]?)?(?:\(\d{2,4}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}(?![\w-])",
        phone,
    ),
    rule(r"(?<![\w.+-])\d{3}-\d{4}(?![\w-])", phone),
    rule(r"(?<![\w.])\+\d{1,3}(?:[ -]?\d{2,5}){2,5}(?![\w-])", phone),
    rule(r"(?i)\b((?:call|dial) )(\d{3})\b(?![\d.,]*\d)", lambda m: m[1] + digits(m[2])),
    rule(r"(?<=[A-Za-z]{2})\.(?=[a-z]{2,4}\b(?!\.))", " dot "),  # the name of a file
    rule(r"(?<!\w)@(?=\w)", " at "),
    rule(r"(?<!\w)#(?=[A-Za-z])", " hashtag "),
)
