"""Acronyms, initials and single letters: what is said letter by letter.

A letter's name is written so that it reads well letter by letter ("you ess ay"). A word in capitals
is spelled unless it can be said as a word, as NASA can, or the whole text shouts.
"""

import re

from mamtra.text.numbers import pair, plural
from mamtra.text.rules import rule

NAMES = {
    "a": "ay", "b": "bee", "c": "see", "d": "dee", "e": "ee", "f": "eff", "g": "jee",
    "h": "aitch", "i": "eye", "j": "jay", "k": "kay", "l": "ell", "m": "em", "n": "en",
    "o": "oh", "p": "pee", "q": "cue", "r": "are", "s": "ess", "t": "tee", "u": "you",
    "v": "vee", "w": "double you", "x": "ex", "y": "why", "z": "zee",
}  # fmt: skip

# two letters are spelled unless they are one of these words
SHORT_WORDS = """
AH AM AN AS AT BE BY DO EH GO HA HE HI IF IN IS IT ME MY NO OF OH ON OR OX SO TO UP WE
"""
TWO_LETTER_WORDS = frozenset(SHORT_WORDS.split())
# acronyms that could be said as words, but are not; spelled even in a text that shouts
SAID_AS_LETTERS = """
AAA ABA ACLU ADA AFC AGI AKA AMA AMEX AOC AOL API APA APR APY ASAP AWS BAE BIA BMI CAC CAO CEO CFO
CGI CIA CIO CMO COO CPI CPO CRO CSO CTO DEA DIY DOB DOE DOJ DOL DUI EDT EEG EFF EIA EIN EKG EMI EOF
EPA EPS ESA ESL ESPN EST ETA ETF EU EULA FAA FAQ FBI FOI GED GIS GOP HIV HOA HOV IBM ICBM ICO ICU
IDE IED IEC IEEE IMF IMO INS IOC IOT IOU IPA IPO IRA IRL IRS ISO ISP ITV IVF KIA KPI LAX LCD LED LIU
MBA MEP MIA MIT MOU MRI MVP NAACP NBA NCAA NEA NIH NYC NYU OCR OECD OEM OTA PDA PEI POV PSA PTA PTO
RBI RCA RFID RIAA RNA ROI RSI RSVP SEO SUV TBA TBD TIA UAE UAV UAW UBI UCLA UEFA UFO UK UN UPS URI
EOD EOB COB ETD FYI AFK WFH OOO OOM OOP AES EOL IIRC ICYMI POC
SEC FEC EMS ERP ROE ROA EOY ILO BOE EEC IBS UTI STI IUD CLI ORM UAT SEM AOV ODI AAU GRE DOA POW IOS
UPI ATT AOE CET IST WEF PLO OAS UAP ESP ACA OSU ASU ISU UVA EIR EAP EUA OIG OMB GAO EIS EIB ESM IEA
GYN USMCA ASPCA
URL USA USAF USB USC USDA USO USPS UTC VAT VIP VOIP WTO YMCA YOY YWCA AI ID IQ TV UI UX QA PR HR
"""
SPELLED = frozenset(SAID_AS_LETTERS.split())
# written: said
RESPELLED = {
    "PhD": "pee aitch dee", "WiFi": "why fie", "Wi-Fi": "why fie", "JPEG": "jay peg",
    "MPEG": "em peg", "ASCII": "ass key", "SQL": "sequel", "GitHub": "git hub", "JSON": "jason",
    "OLED": "oh led", "OK": "okay", "macOS": "mac oh ess", "NASDAQ": "nazdack", "YAML": "yammel",
    "GUI": "gooey", "WYSIWYG": "wizzywig", "PNG": "ping", "CUDA": "cooda", "AAA": "triple ay",
    "IEEE": "eye triple ee", "NAACP": "en double ay see pee", "NCAA": "en see double ay",
    "AARP": "ay ay are pee", "pH": "pee aitch", "MySQL": "my sequel", "LaTeX": "lay teck",
}  # fmt: skip

# what English begins and ends a syllable with
ONSET = (
    "(?:[BCFGKPS]L|[BCDFGKPT]R|CH|SH|TH|WH|PH|KN|WR|QU|S[CKMNPTW]|TW|DW|GH|GN|PS|SC[HR]|SHR|SP[LR]"
    "|STR|THR|CHR|PHR|SQU|[B-DF-HJ-NPR-TV-WYZ])?"
)
VOWELS = "(?:[AEIOU]{1,3}Y?|Y)"
CODA = (
    "(?:(?:[BCDFGKLMNPRSTVWXZ]|CK|CT|CH|FF|FT|GH|GHT|GHTS|LB|LD|LF|LK|LL|LM|LP|LT|LVE|LCH|MB|MN|MP"
    "|MPT|NCH|NCT|ND|NG|NGTH|NK|NN|NT|NX|PH|PT|RB|RC|RCH|RD|RF|RG|RK|RL|RLD|RM|RN|RP|RST|RT|RTH"
    "|RV|SH|SK|SM|SP|SS|ST|TCH|TH|TT|WK|WL|WN|XT|ZZ|NTH|LTH|PTH|DTH|FTH|GN|GG|BB|DD)"
    "(?:E?S|ED|E|LY)?)?"
)
SAYABLE = re.compile(rf"{ONSET}{VOWELS}(?:[B-DF-HJ-NP-TV-Z]{{1,3}}{VOWELS})*{CODA}")
# a capital after a dotted acronym may go on with the sentence; these words begin a new one
STARTERS = (
    r"(?:A|An|The|He|She|It|They|We|You|I|This|That|These|Those|There|In|On|At|But|And|So|If|When"
    r"|What|Who|How|Why|My|His|Her|Their|Our|Its|For|As|After|Before|Then|However)\b"
)
SERIES = (
    "(?:Plan|Vitamin|Type|Grade|Group|Class|Section|Part|Appendix|Figure|Option|Team|Hepatitis)"
)
# without a vowel, and no abbreviations
SOUNDS = (
    "hm+", "m+h?m*", "p?s+h+", "psst", "pst", "b+r+", "g+r+", "tsk", "nth", "pf+t?", "z+", "h?mph",
    "st", "nd", "rd", "th", "cwm", "crwth", "t+", "s+", "r+", "k+", "f+", "n+",
    "vs", "w+", "h+", "x+",
)  # fmt: skip
# words that only a text in capitals writes in capitals
STRESSED = """
ALL AND ARE AS AT BE BUT BY CAN DID DO FOR FROM GET HAS HAVE HE HER HIS HOW IF IN IS ITS ME MY NEW
NO NOT NOW OF ON OUR OUT SHE SO THAT THE THEM THEY THIS TO UP WAS WE WHAT WHO WILL WITH YOU YOUR
"""
ORDINARY = frozenset(STRESSED.split())
CAPITALS = re.compile(r"(?<![A-Za-z'])(?:[A-Z]{2,}|A)(?:'[A-Z]+)*(?![A-Za-z])")
VOWEL = re.compile("[AEIOUY]")
ANY_WORD = re.compile(r"[A-Za-z']{2,}")

Match = re.Match[str]


def spell(word: str) -> str:
    """Say a word letter by letter; what is no letter is left out."""
    return " ".join(NAMES[letter] for letter in word.lower() if letter in NAMES)


def is_word(word: str) -> bool:
    """Whether a word in capitals is said as a word: it is not a known acronym and can be said."""
    if word in SPELLED:
        return False
    if len(word) < 3:
        return word in TWO_LETTER_WORDS
    return len(word) > 6 or bool(SAYABLE.fullmatch(word))


def acronym(match: Match) -> str:
    """Say one word in capitals, with its plural or possessive ending."""
    word, ending = match[1], match[2] or ""
    if word in RESPELLED:
        return f" {RESPELLED[word]}{ending} "
    if is_word(word):
        return word.lower() + ending
    if ending == "s" and word.endswith(("S", "X")):
        ending = "es"
    return f" {spell(word)}{ending} "


def shouts(text: str) -> bool:
    """Whether the whole text is in capitals, rather than a few acronyms."""
    capitals = CAPITALS.findall(text)
    ordinary = any(len(word) > 5 or word in ORDINARY for word in capitals)
    return ordinary and 2 * len(capitals) > len(ANY_WORD.findall(text)) and len(capitals) > 2


def quieten(text: str) -> str:
    """Write a shouting text in lower case, so that only words without a vowel are spelled."""
    if not shouts(text):
        return text
    return CAPITALS.sub(
        lambda m: m[0] if m[0] in SPELLED or not VOWEL.search(m[0]) else m[0].lower(), text
    )


def before_figures(match: Match) -> str:
    """Say capitals that are joined to figures, as in MP3, A4, TOP-10."""
    word = match[1]
    spoken = word.lower() if len(word) > 2 and is_word(word) else spell(word)
    return f" {spoken} "


def slashed(match: Match) -> str:
    """Say initials with slashes between them, as in I/O and TCP/IP; words stay."""
    words = match[0].split("/")
    if all(len(word) > 1 and is_word(word) for word in words):
        return match[0]
    return f" {' '.join(spell(word) for word in words)} "


MIXED = (
    "PhD", "WiFi", "Wi-Fi", "GitHub", "macOS", "pH", "MySQL", "LaTeX",
)  # fmt: skip
OWNERS = "(?:[Tt]he|[Aa]n|[Oo]ur|[Mm]y|[Yy]our|[Hh]is|[Hh]er|[Tt]heir|[Ii]ts|in)"
SEVERAL = (
    "(?:[Tt]wo|[Tt]hree|[Ff]our|[Ff]ive|[Ss]ix|[Ss]even|[Ee]ight|[Nn]ine|[Tt]en|[Ss]everal|[Mm]any"
    "|[Ff]ew|[Ss]ome|[Tt]hese|[Tt]hose|[Aa]ll)"
)
DEPARTMENT = (
    "(?:team|department|support|staff|manager|industry|systems?|services?|sector|guy|specialist"
    "|infrastructure|budget|jobs?|crowd|equipment|security|policy|project|professionals?)"
)

# before abbreviations: pairs of initials, which hold what looks like abbreviations
PAIRS = (
    rule(r"(?<!\d)(?<!\d )° ?C\b", " degrees Celsius "),
    rule(r"(?<!\d)(?<!\d )° ?F\b", " degrees Fahrenheit "),
    rule(r"(?<=[a-z])\((e?s)\)", r"\1"),  # of one or several
    # several of a kind whose name ends in figures: F-16s, two 747s, flew Boeing 747s
    rule(
        r"(?<![\w'-])([A-Z]{1,4})-?(\d{1,4})s(?![\w'])",
        lambda m: f"{before_figures(m)}{plural(pair(m[2]))} ",
    ),
    rule(
        rf"(\b{SEVERAL} |(?<=[a-z,] )[A-Z][a-z]+ )([1-9]\d\d?[1-9])s\b",
        lambda m: f"{m[1]}{plural(pair(m[2]))}",
    ),
    rule(
        r"(?<![A-Za-z'])([A-Z]{1,3}) ?& ?([A-Z])(s?)(?![A-Za-z'])",
        lambda m: f" {spell(m[1])} and {spell(m[2])}{m[3]} ",
    ),
    rule(r"(?<![\w/.&'])(?!N/A\b)[A-Z]{1,4}(?:/[A-Z]{1,4})+(?![\w/&'])", slashed),
    rule(r"(?<![\w'])([A-G])#(?!\w)", lambda m: f" {spell(m[1])} sharp "),
    rule(r"(?<=\d )ERA\b|\bERA(?= (?:of|is|was) \d)", "ee are ay"),
    rule(r"\bIPv(?=[46]\b)", " eye pee version "),
    rule(r"\b(UTC|GMT) ?-(?=\d)", r"\1 minus "),
    rule(
        r"\b((?:[Bb]lood (?:type|group) |(?:[Bb]lood|[Tt]ype) (?:is )?))(AB|[ABO])([+-])(?![\w+-])",
        lambda m: f"{m[1]} {spell(m[2])} {'positive' if m[3] == '+' else 'negative'} ",
    ),
    # the sign of a company at the stock exchange
    rule(r"(?<![\w$])\$(?=[A-Z]{2,5}(?![\w$]))", ""),
    rule(r"(?<![\w'])([A-F])\+(?![\w+])", lambda m: f" {spell(m[1])} plus "),
    rule(r"(?<![A-Za-z'])a(?= ?[<>=]=? ?[\w-])", "ay"),
    rule(r"(?<=\()a(?=[,)])", "ay"),
    rule(r"(?:(?<=^)|(?<=\s))(?<!\d )([a-h])\)(?= )", lambda m: f"{spell(m[1])},"),
)
# before the numbers are spoken: capitals joined to digits, as in MP3, A4 and F-16
JOINED = (
    rule(r"(?<![A-Za-z'])a(?=\d)", " ay "),
    rule(r"\b(?:v|V|ver\.|Ver\.) ?(?=\d+\.\d)", "version "),
    rule(r"(?<![A-Za-z'&])([A-Z]{1,4})-?(?=\d)", before_figures),
    rule(r"(?<=\d)([A-Z])(?=\d|\b)(?!\.[A-Z])", lambda m: f" {spell(m[1])} "),
)

RULES = (
    # from which letter to which; two neighbours, as in A-B, are something else
    rule(r"(?<![\w'-])(?:a-([d-z])|A-([D-Z]))(?![\w'-])",
         lambda m: f" ay to {spell(m[1] or m[2])} "),
    # names of two words written as one
    rule(r"(?<=[a-z]{3})(?=[A-Z][a-z]{3}|[A-Z]{2,}s?(?![A-Za-z]))", " "),
    rule(r"^([^A-Za-z\0]*)([AaIi])([^A-Za-z\0]*)$",  # a text of one letter: no words then
         lambda m: f"{m[1]}{spell(m[2])}{m[3]}"),
    rule(rf"(?<![A-Za-z'])({'|'.join(MIXED)})('?s)?(?![A-Za-z'])",
         lambda m: RESPELLED.get(m[1], m[1]) + (m[2] or "")),
    rule(rf"\b({OWNERS}) IT\b|\bIT(?= {DEPARTMENT}\b)", lambda m: f"{m[1] or ''} eye tee "),
    rule(r"\b([Tt]he) WHO\b", r"\1 double you aitch oh"),
    rule(r"\bWHO(?= (?:officials?|chief|director|reports?|data|guidelines|spokes\w+|estimates)\b)",
         "double you aitch oh"),
    rule(r"\b([Tt]he) A(?= (?:train|line|side|team|game|league|list)\b)", r"\1 ay"),
    rule(rf"(?<![A-Za-z'.])(?:[A-Za-z]\.){{2,}}(?= ?$| {STARTERS})",
         lambda m: f" {spell(m[0])}."),
    rule(r"(?<![A-Za-z'.])((?:[A-Za-z]\.){2,})'s(?![A-Za-z])", lambda m: f" {spell(m[1])}'s "),
    rule(r"(?<![A-Za-z'.])(?:[A-Za-z]\.){2,}(?![A-Za-z])", lambda m: f" {spell(m[0])} "),
    rule(r"(?<![A-Za-z'.])(?:[A-Za-z]\.)+[A-Za-z](?![A-Za-z'])", lambda m: f" {spell(m[0])} "),
    # initials of a name, and the first letter of a kind of animals or plants
    rule(r"(?<![A-Za-z'.])(?:[A-Z]\. ){2,}(?=[A-Z][a-z])", lambda m: f" {spell(m[0])} "),
    rule(r"(?<![A-Za-z'.])([B-HJ-Z])\.(?= [a-z])", lambda m: f" {spell(m[1])} "),
    rule(rf"(?:(?<=^)|(?<=[.?!] )|\b(?!{SERIES}\b)([A-Z][a-z]+) )([B-Z])\.(?= ?[A-Z])",
         lambda m: f"{m[1] or ''} {spell(m[2])} "),
    rule(r"(?<![A-Za-z'])([a-z])([A-Z]{2,})(s?)(?![A-Za-z'])",
         lambda m: f" {spell(m[1] + m[2])}{m[3]} "),
    rule(r"(?<![A-Za-z'])([A-Z]{2,})('?s)?(?![A-Za-z]|'[A-Z])", acronym),
    rule(rf"(?i:\b({SERIES}s?)) A\b(?!')", r"\1 ay"),
    rule(r"(?<=[a-z] )A(?=[.,?!;:]|$| (?:and|or|to) [B-Z]\b)", "ay"),
    rule(rf"(?<![A-Za-z'\0-])(?!(?:{'|'.join(SOUNDS)})(?![a-z]))([b-df-hj-np-tv-xz]{{2,5}})(?![A-Za-z'\0-])",
         lambda m: f" {spell(m[1])} "),
    rule(r"(?<![A-Za-z'])([B-HJ-Zb-hj-z])('s)?(?!['A-Za-z])",
         lambda m: spell(m[1]) + (m[2] or "")),
)  # fmt: skip
