"""Example sentences and word counts of Princeton WordNet, read from Debian's package.

The glosses of WordNet quote how a word is used; those quotations are short, varied and free to
use. Nothing of WordNet is kept in this project: the package is read when a corpus is made.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from mamtra.corpus.synthetic.spoken_words import words_of
from mamtra.errors import CorpusError

FOLDER = Path(os.environ.get("MAMTRA_WORDNET", "/usr/share/wordnet"))  # Debian's wordnet-base
PARTS = ("noun", "verb", "adj", "adv")
FEWEST_WORDS, MOST_WORDS = 2, 18
TAGGED_WEIGHT = 10  # a use in WordNet's tagged texts says more than one in a definition

QUOTED = re.compile(r'"([^"]+)"')
PLAIN = re.compile(r"[A-Za-z][A-Za-z' ,;:?!-]*")
# WordNet says itself which words hurt
HURTFUL = re.compile(r"\b(slur|offensive|obscen|vulgar|derogat|disparag|profan|ethnic|sexual)")
# initials and single letters, which are no words
LETTERS = re.compile(r"[A-Z]{2}|(?<![\w'-])[b-hj-zB-HJ-Z](?![\w'-])")


def lines_of(path: Path) -> list[str]:
    """The lines of one of WordNet's files.

    Raises:
        CorpusError: the file is not there.
    """
    if not path.exists():
        raise CorpusError(
            f"no WordNet file {str(path)!r}; run: apt-get install wordnet-base, "
            "or name the folder of its files in MAMTRA_WORDNET"
        )
    return path.read_text(encoding="ascii", errors="replace").splitlines()


def entries(folder: Path, parts: Sequence[str] = PARTS) -> Iterator[tuple[list[str], str]]:
    """The words and the gloss of every entry; a gloss is a definition, then quoted examples.

    Raises:
        CorpusError: the folder lacks WordNet's files.
    """
    for part in parts:
        for line in lines_of(folder / f"data.{part}"):
            if line.startswith("  "):  # the licence
                continue
            fields, _, gloss = line.partition(" | ")
            _, _, _, words, *rest = fields.split()
            yield rest[: 2 * int(words, 16) : 2], gloss.strip()


def clean(example: str) -> str | None:
    """An example as a sentence with a capital and a final mark, or None where it cannot be one."""
    example = " ".join(example.split()).strip(" ,;:-.").replace(" - ", ", ")
    if not PLAIN.fullmatch(example) or "--" in example or LETTERS.search(example):
        return None
    if not FEWEST_WORDS <= len(words_of(example)) <= MOST_WORDS:
        return None
    return example[0].upper() + example[1:] + ("" if example[-1] in "?!" else ".")


def examples(folder: Path = FOLDER) -> list[str]:
    """All usable example sentences, without repetition, in WordNet's order.

    Raises:
        CorpusError: the folder lacks WordNet's files.
    """
    found: dict[str, None] = {}
    for _, gloss in entries(folder):
        if HURTFUL.search(gloss):
            continue
        for quoted in QUOTED.findall(gloss):
            sentence = clean(quoted)
            if sentence:
                found[sentence] = None
    return list(found)


def words_by_part(folder: Path = FOLDER) -> dict[str, list[str]]:
    """The single words of each part of speech, by ``PARTS``; the offensive ones are left out.

    Raises:
        CorpusError: the folder lacks WordNet's files.
    """
    found: dict[str, dict[str, None]] = {part: {} for part in PARTS}
    hurtful: set[str] = set()
    for part in PARTS:
        for words, gloss in entries(folder, (part,)):
            plain = [word for word in words if re.fullmatch(r"[a-z]+", word)]
            if HURTFUL.search(gloss):
                hurtful.update(plain)
            found[part] |= dict.fromkeys(plain)
    return {part: [word for word in words if word not in hurtful] for part, words in found.items()}


def word_counts(folder: Path = FOLDER) -> Counter[str]:
    """How much each word is used, in WordNet's tagged texts and in its glosses.

    Words of entries that WordNet calls offensive are left out.

    Raises:
        CorpusError: the folder lacks WordNet's files.
    """
    counts: Counter[str] = Counter()
    for line in lines_of(folder / "cntlist.rev"):
        key, _, uses = line.split()
        counts[key.partition("%")[0]] += TAGGED_WEIGHT * int(uses)
    hurtful: set[str] = set()
    for words, gloss in entries(folder):
        if HURTFUL.search(gloss):
            hurtful.update(word.lower() for word in words)
        else:
            counts.update(re.findall(r"[a-z]+", gloss))
    for word in hurtful:
        del counts[word]
    return counts
