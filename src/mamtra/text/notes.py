"""What a reader should know about a text before it is spoken: what is left out, what is odd."""

import re
import unicodedata
from collections.abc import Collection

from mamtra.errors import MamtraError
from mamtra.text.markup import unknown_tags, without_known_tags
from mamtra.text.normalize import normalize
from mamtra.text.pauses import MARK

SIGNS = 60  # different ones that are looked at
PREVIEW = 30  # characters of what is left out that a note quotes
# words between angles that are no tag
PHRASE = re.compile(r"</?[A-Za-z][\w:-]{0,30}\s[^<>=]{0,200}>")
OTHER = re.compile(r"[^\x00-\u024f\u0300-\u036f\u1e00-\u1eff\u2000-\u2bff\u0370-\u03ff]+")


def other_scripts(text: str) -> str:
    """Give the letters that are no Latin ones, as far as a note can quote them."""
    letters = []
    for run in OTHER.findall(text):
        word = "".join(character for character in run if unicodedata.category(character)[0] == "L")
        word = "".join(c for c in word if not unicodedata.normalize("NFKC", c).isascii())
        if word:
            letters.append(word)
        if sum(map(len, letters)) > PREVIEW:
            break
    return " ".join(letters)[:PREVIEW]


def unsaid(character: str) -> bool:
    """Whether a sign alone leaves nothing to say."""
    try:
        return not normalize(character)
    except MamtraError:
        return True


def vanishing_signs(text: str) -> str:
    """Give emojis and other signs that nothing is said for, each once, as far as a note quotes."""
    signs = dict.fromkeys(
        character
        for character in text
        if not character.isascii() and unicodedata.category(character) in ("So", "Sm", "Sk", "No")
    )
    return "".join(sign for sign in list(signs)[:SIGNS] if unsaid(sign))[:PREVIEW]


def kind_of(note: str) -> str:
    """What a note says without the words that it quotes."""
    return note.partition(":")[0]


def notes_on_tags(text: str, keep: Collection[str] = ()) -> list[str]:
    """Tell which tags will be left out of a text, each once.

    Args:
        text: as it was written.
        keep: tags that the model reads.
    """
    tags = " ".join(dict.fromkeys(unknown_tags(MARK.sub(" ", text), keep)))
    return [f"left out, this model knows no such tag: {tags[:PREVIEW]!r}"] if tags else []


def notes(text: str) -> list[str]:
    """Tell what will be left out of a text, or be read as words though it looks like markup.

    Args:
        text: as it was written, for a model that reads English letters.
    """
    text, found = MARK.sub(" ", text), []
    if vanishing := other_scripts(text):
        found.append(f"left out, this model reads Latin letters only: {vanishing!r}")
    if signs := vanishing_signs(text):
        found.append(f"left out, there are no words for: {signs!r}")
    found += notes_on_tags(text)
    if phrases := PHRASE.findall(without_known_tags(text)):
        found.append(f"read as words, no known markup: {phrases[0][:PREVIEW]!r}")
    return found
