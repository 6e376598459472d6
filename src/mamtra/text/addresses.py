"""Web addresses, e-mail addresses, handles and the names of files."""

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

# the endings of names of files
FILES = (
    "txt", "md", "rst", "pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "csv", "tsv", "json",
    "yaml", "yml", "toml", "xml", "html", "htm", "css", "js", "ts", "jsx", "tsx", "py", "ipynb",
    "java", "cpp", "rs", "go", "rb", "php", "sh", "bat", "exe", "dll", "zip", "tar", "gz", "rar",
    "jpg", "jpeg", "png", "gif", "bmp", "svg", "webp", "mp3", "mp4", "wav", "flac", "ogg", "avi",
    "mov", "mkv", "log", "cfg", "ini", "conf", "env", "lock", "sql", "db", "bin", "iso", "jar",
    "epub", "tex", "bib", "onnx", "srt", "dat", "bak", "tmp",
)  # fmt: skip
FILE = one_of(FILES)
VOWEL = re.compile("[aeiouy]")

PARTS = re.compile(r"[a-z']+|\d+|.")
ENDING = one_of(ENDINGS)
LAST = r"[A-Za-z0-9/]"  # a mark at the end of an address belongs to the sentence


def file_ending(match: re.Match[str]) -> str:
    """Say the ending of a file's name, by letters where there is nothing to pronounce."""
    name, figure = re.fullmatch(r"([a-z]+)(\d?)", match[1].lower()).groups()  # pyright: ignore[reportOptionalMemberAccess]
    return f" dot {name if VOWEL.search(name) else spell(name)} {figure} "


def address(written: str) -> str:
    """Say an address part by part."""
    spoken: list[str] = []
    for part in PARTS.findall(written.rstrip("/").lower()):
        if part.isdecimal():
            spoken.append(digits(part) if len(part) > 4 else number(part))
        elif not part[0].isalpha():
            spoken.append(MARKS.get(part, ""))
        elif (
            len(part) == 1 or not VOWEL.search(part) or (part in SPELLED and spoken[-1:] == ["dot"])
        ):
            spoken.append(spell(part))
        else:
            spoken.append(part)
    return f" {' '.join(spoken)} "


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
    # with another ending, if a path follows: bit.ly/x
    rule(rf"(?<![\w@./-])[a-z0-9-]{{1,60}}\.[a-z]{{2}}/[^\s<>\"]*{LAST}", lambda m: address(m[0])),
    rule(rf"(?<=[\w)])\.({FILE})(?![\w-]|\.(?!{FILE}\b)\w)", file_ending),
    rule(rf"(?<=[\w)])\.({FILE})(?![\w-])", file_ending),
    rule(r"(?<![\w.,;:?!)])\.(?=[a-z]{2}|[A-Z]{2,}\b)", " dot "),
    rule(r"(?<!\w)@(?=\w)", " at "),
    # the home folder, and the options of commands
    rule(r"(?<![\w~])~/(?=\w)", " tilde slash "),
    rule(r"(?<=\w )-([A-Za-z])(?= [\"'\w.$/-]|$)", lambda m: f" dash {spell(m[1])} "),
    rule(r"(?<!\w)#(?=[A-Za-z])(?![A-Z]{1,4}-?\d)", " hashtag "),
)
