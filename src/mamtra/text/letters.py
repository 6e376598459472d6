"""Acronyms, initials and single letters: what is said letter by letter.

A letter's name is written so that it reads well letter by letter ("you ess ay"). A word in capitals
is spelled unless it can be said as a word, as NASA can, or the whole text shouts.
"""

import re

from mamtra.text.rules import rule

NAMES = {
    "a": "ay", "b": "bee", "c": "see", "d": "dee", "e": "ee", "f": "eff", "g": "jee",
    "h": "aitch", "i": "eye", "j": "jay", "k": "kay", "l": "ell", "m": "em", "n": "en",
    "o": "oh", "p": "pee", "q": "cue", "r": "are", "s": "ess", "t": "tee", "u": "you",
    "v": "vee", "w": "double you", "x": "ex", "y": "why", "z": "zee",
}  # fmt: skip

# said as words although short, or written in capitals for stress
SAID_AS_WORDS = """
RAM ROM PIN SIM LAN WAN ZIP GIF AIDS BIOS NASA NATO OPEC SARS COVID UNICEF UNESCO LASER RADAR
ALL AM AN AND ANY ARE AS AT BAD BE BIG BUT BUY BY CAN DAY DID DO END FOR FREE FUN GET GO GOOD GOT
HAD HAS HE HELP HER HERE HIM HIS HOT HOW IF IN IS IT ITS JUST LET LOT ME MAD MAN MAY MY NEW NO NOT
NOW OF OFF OH OLD ON ONE ONLY OR OUR OUT OWN RED RUN SAD SAY SEE SHE SO STOP THAT THE THEM THEY THIS
TO TOO TOP TRY TWO UP USE VERY WAS WE WHO WHAT WHY WILL WIN WITH YES YET YOU YOUR
"""
# spelled although they look like words, and even in a text that shouts
SAID_AS_LETTERS = """
UCLA NCAA ACLU IEEE YMCA UEFA ASAP ICBM AMEX NAACP CEO CIO AOL IOU EPA USA UK EU UN UAE FBI CIA AI
ID IQ UFO EST IRS NBA
"""
AS_WORDS = frozenset(SAID_AS_WORDS.split())
SPELLED = frozenset(SAID_AS_LETTERS.split())
RESPELLED = {
    "PhD": "pee aitch dee", "WiFi": "why fie", "Wi-Fi": "why fie", "JPEG": "jay peg",
    "MPEG": "em peg", "ASCII": "ass key", "SQL": "sequel", "GitHub": "git hub",
}  # fmt: skip

ONSET = (
    "(?:BL|BR|CH|CL|CR|DR|FL|FR|GL|GR|KN|PH|PL|PR|QU|SC|SH|SK|SL|SM|SN|SP|ST|SW|TH|TR|TW|WH|WR"
    "|[B-DF-HJ-NP-TV-Z])?"
)
SAYABLE = re.compile(rf"(?:{ONSET}[AEIOU]{{1,2}})(?:[B-DF-HJ-NP-TV-Z]{{1,2}}[AEIOUY]{{1,2}})*"
                     r"(?:[B-DF-HJ-NP-TV-Z]{0,2}|LLY|RLD|GHT)")  # fmt: skip
# a capital after a dotted acronym may go on with the sentence; these words begin a new one
STARTERS = (
    r"(?:A|An|The|He|She|It|They|We|You|I|This|That|These|Those|There|In|On|At|But|And|So|If|When"
    r"|What|Who|How|Why|My|His|Her|Their|Our|Its|For|As|After|Before|Then|However)\b"
)
SERIES = (
    "(?:Plan|Vitamin|Type|Grade|Group|Class|Section|Part|Appendix|Figure|Option|Team|Hepatitis)"
)
CAPITALS = re.compile(r"(?<![A-Za-z'])(?:[A-Z]{2,}|A)(?:'[A-Z]+)*(?![A-Za-z])")
VOWEL = re.compile("[AEIOUY]")
ANY_WORD = re.compile(r"[A-Za-z']{2,}")

Match = re.Match[str]


def spell(word: str) -> str:
    """Say a word letter by letter; what is no letter is left out."""
    return " ".join(NAMES[letter] for letter in word.lower() if letter in NAMES)


def acronym(match: Match) -> str:
    """Say one word in capitals, with its plural or possessive ending."""
    word, ending = match[1], match[2] or ""
    sayable = len(word) > 3 and SAYABLE.fullmatch(word)
    if word not in SPELLED and (word in AS_WORDS or sayable or len(word) > 6):
        return word.lower() + ending
    if word in RESPELLED:
        return RESPELLED[word] + ending
    if ending == "s" and word.endswith(("S", "X")):
        ending = "es"
    return f" {spell(word)}{ending} "


def shouts(text: str) -> bool:
    """Whether the whole text is in capitals, rather than a few acronyms."""
    capitals = CAPITALS.findall(text)
    ordinary = any(len(word) > 5 or word in AS_WORDS for word in capitals)
    return ordinary and 2 * len(capitals) > len(ANY_WORD.findall(text)) and len(capitals) > 2


def quieten(text: str) -> str:
    """Write a shouting text in lower case, so that only words without a vowel are spelled."""
    if not shouts(text):
        return text
    return CAPITALS.sub(
        lambda m: m[0] if m[0] in SPELLED or not VOWEL.search(m[0]) else m[0].lower(), text
    )


# before the numbers are spoken: capitals joined to digits, as in MP3, A4 and F-16
JOINED = (
    rule(r"\b(?:v|V|ver\.|Ver\.) ?(?=\d+\.\d)", "version "),
    rule(r"(?<![A-Za-z'&])([A-Z]{1,4})-?(?=\d)", lambda m: f" {spell(m[1])} "),
    rule(r"(?<=\d)([A-Z])(?=\d|\b)(?!\.[A-Z])", lambda m: f" {spell(m[1])} "),
)

RULES = (
    rule(r"\b(?:PhD|Wi-?Fi|GitHub)\b", lambda m: RESPELLED[m[0]]),
    rule(r"\b([A-Z]+) ?& ?([A-Z])\b", lambda m: f" {spell(m[1])} and {spell(m[2])} "),
    rule(rf"(?<![A-Za-z'.])(?:[A-Za-z]\.){{2,}}(?= ?$| {STARTERS})",
         lambda m: f" {spell(m[0])}."),
    rule(r"(?<![A-Za-z'.])(?:[A-Za-z]\.){2,}(?![A-Za-z])", lambda m: f" {spell(m[0])} "),
    rule(r"(?<![A-Za-z'.])(?:[A-Za-z]\.)+[A-Za-z](?![A-Za-z'])", lambda m: f" {spell(m[0])} "),
    rule(rf"(?:(?<=^)|(?<=[.?!] )|\b(?!{SERIES}\b)([A-Z][a-z]+) )([B-Z])\.(?= ?[A-Z])",
         lambda m: f"{m[1] or ''} {spell(m[2])} "),
    rule(r"(?<![A-Za-z'])([a-z])([A-Z]{2,})(?![A-Za-z'])",
         lambda m: f" {spell(m[1] + m[2])} "),
    rule(r"(?<![A-Za-z'])([A-Z]{2,})('?s)?(?![A-Za-z]|'[A-Z])", acronym),
    rule(r"(?<=[a-z] )A(?=[.,?!;:]|$)", "ay"),
    rule(r"(?<![A-Za-z'])([B-HJ-Zb-hj-z])('s)?(?!['A-Za-z])",
         lambda m: spell(m[1]) + (m[2] or "")),
)  # fmt: skip
