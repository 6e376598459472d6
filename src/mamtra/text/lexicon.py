"""How names are said: a file of words, each with its phones or a respelling.

One entry a line: the word, a tab, and either phones in braces or as dictionaries write them
(``K AA1 R AX``), or words that are spelled as they sound. Empty lines and lines that begin with
``#`` are left out:

    Nguyen	{w ih n}
    Siobhan	shivawn
    La Jolla	la hoya
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mamtra.errors import TextError
from mamtra.text.files import read_text_file
from mamtra.text.phones import PHONES, plain_phones, possessive
from mamtra.text.windows import check_characters

LONGEST_WORD, LONGEST_SAID, LONGEST_FILE = 100, 300, 20_000_000
WORD = re.compile(r"\{[^{}]*\}|[^\W_]+(?:['’.&-][^\W_]+)*")
PHONES_ALONE = re.compile(r"(?:[A-Z]{1,2}[0-2]? )*[A-Z]{1,2}[0-2]?")


def plain_apostrophes(words: str) -> str:
    """The words with a plain apostrophe for a typographic one."""
    return words.replace("’", "'")


def said(written: str) -> str:
    """Give what is put in place of a word: its phones in braces, or the respelling.

    Raises:
        TextError: phones are unknown, or a brace has no partner.
    """
    if written.startswith("{") and written.endswith("}"):
        return plain_phones(written)
    phones = [phone.rstrip("012").lower() for phone in written.split()]
    if PHONES_ALONE.fullmatch(written) and all(phone in PHONES for phone in phones):
        return plain_phones(f"{{{written}}}")
    if re.search(r"[{}]", re.sub(r"\{[^{}]*\}", "", written)):
        raise TextError(
            f"a brace without its partner in {written!r}; write phones as {{hh ax l ow}}"
        )
    return written


@dataclass(frozen=True, slots=True, eq=False)
class Lexicon:
    """Words and how they are said.

    An entry in lower case holds for every case; one with a capital for that spelling alone, so that
    ``Polish`` does not change ``polish``.

    Attributes:
        entries: each word, or words with one blank between them, and what is read in its place.
        longest: words of the longest entry.
        digest: a short name for all of it.
    """

    entries: Mapping[str, str]
    longest: int
    digest: str

    def look_up(self, words: str) -> str | None:
        """Give what is said for words, also in the possessive; None where they are unknown."""
        words = plain_apostrophes(words)
        if spoken := self.entries.get(words) or self.entries.get(words.lower()):
            return spoken
        owner = words[:-2]
        if words.endswith("'s") and (
            spoken := self.entries.get(owner) or self.entries.get(owner.lower())
        ):
            in_phones = spoken.endswith("}")
            return f"{{{possessive(spoken[1:-1])}}}" if in_phones else f"{spoken}'s"
        return None

    def apply(self, text: str) -> str:
        """Put what is said in place of the words that are known; words in phones stay."""
        words = list(WORD.finditer(text))
        longest, result, end, index = self.longest, [], 0, 0
        while index < len(words):
            for count in range(min(longest, len(words) - index), 0, -1):
                first, last = words[index].start(), words[index + count - 1].end()
                key = " ".join(text[first:last].split())
                if spoken := self.look_up(key):
                    result += [text[end:first], spoken]
                    end = last
                    index += count - 1
                    break
            index += 1
        return "".join(result) + text[end:]


def lexicon_of(entries: Mapping[str, str]) -> Lexicon:
    """Make a lexicon of words and what is read in their place."""
    entries = {plain_apostrophes(word): spoken for word, spoken in entries.items()}
    longest = max((len(WORD.findall(entry)) for entry in entries), default=0)
    everything = "\n".join(f"{word}\t{spoken}" for word, spoken in sorted(entries.items()))
    return Lexicon(entries, longest, hashlib.sha256(everything.encode()).hexdigest()[:16])


def read_line(line: str, number: int, name: str) -> tuple[str, str]:
    """Read one entry.

    Raises:
        TextError: it has no tab, or a half of it is empty or too long.
    """
    word, tab, spoken = line.partition("\t")
    word, spoken = " ".join(word.split()), " ".join(spoken.split())
    if not tab or not word or not spoken:
        raise TextError(
            f"line {number} of {name} is no entry: {line[:40]!r}; write a word, a tab, and its "
            "phones in braces or a respelling"
        )
    if len(word) > LONGEST_WORD or len(spoken) > LONGEST_SAID:
        raise TextError(
            f"line {number} of {name} is too long; a word has at most {LONGEST_WORD} characters, "
            f"what is said {LONGEST_SAID}"
        )
    if WORD.fullmatch(word.replace(" ", "")) is None:
        raise TextError(f"line {number} of {name}: {word!r} is no word; leave its marks out")
    try:
        return word, said(spoken)
    except TextError as problem:
        raise TextError(f"line {number} of {name}: {problem}") from problem


def read_lexicon(path: str | Path) -> Lexicon:
    """Read a lexicon from a file.

    Raises:
        TextError: the file cannot be read, is not UTF-8, or a line is no entry; the message names
            the line.
    """
    name, written = repr(str(path)), read_text_file(path)
    if len(written) > LONGEST_FILE:
        raise TextError(f"{name} is too long for a lexicon, over {LONGEST_FILE} characters")
    check_characters(written)
    lines = enumerate(written.splitlines(), start=1)
    return lexicon_of(
        dict(
            read_line(line, number, name)
            for number, line in lines
            if line.strip() and not line.lstrip().startswith("#")
        )
    )
