"""Words in phones inside braces, ``{hh ax l ow}``, also as dictionaries write them: {HH AX L OW1}.

The phones are those of flite's American English. Dictionaries such as CMUdict use the same names in
upper case, with a digit for the stress of a vowel; their unstressed AH is the phone ``ax``.
"""

import re

from mamtra.errors import TextError

# fmt: off
PHONES = (
    "aa", "ae", "ah", "ao", "aw", "ax", "ay", "b", "ch", "d", "dh", "eh", "er", "ey",
    "f", "g", "hh", "ih", "iy", "jh", "k", "l", "m", "n", "ng", "ow", "oy", "p", "r",
    "s", "sh", "t", "th", "uh", "uw", "v", "w", "y", "z", "zh",
)
# fmt: on
VOWELS = tuple(phone for phone in PHONES if phone[0] in "aeiou")
UNSTRESSED = {"ah0": "ax"}
VOICELESS, SIBILANTS = ("f", "k", "p", "t", "th"), ("s", "z", "sh", "zh", "ch", "jh")

# phones have one or two letters; other words in braces are ordinary text
ONE = r"[A-Za-z]{1,2}[0-2]?"
IN_BRACES = re.compile(rf"\{{\s*{ONE}(?:\s+{ONE})*\s*\}}")


def plain_phone(written: str) -> str:
    """Give a phone in lower case and without its stress.

    Raises:
        TextError: there is no such phone; the message lists them.
    """
    phone = UNSTRESSED.get(written.lower(), written.lower())
    if phone[-1:].isdigit() and phone[:-1] in VOWELS:
        phone = phone[:-1]
    if phone not in PHONES:
        raise TextError(f"unknown phone {written!r} in braces; known phones: {' '.join(PHONES)}")
    return phone


def plain_phones(span: str) -> str:
    """Give a word in braces with plain phones.

    Raises:
        TextError: a phone is unknown, or there is none.
    """
    phones = span.strip("{} \t\n").split()
    if not phones:
        raise TextError("braces without phones; write a word in phones as {hh ax l ow}")
    return f"{{{' '.join(map(plain_phone, phones))}}}"


def possessive(phones: str) -> str:
    """The phones of a word with 's."""
    last = phones.rpartition(" ")[2]
    ending = "ax z" if last in SIBILANTS else "s" if last in VOICELESS else "z"
    return f"{phones} {ending}"
