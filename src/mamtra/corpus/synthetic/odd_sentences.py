"""Grammatical sentences without sense, so that every word of a large list is met in running speech.

A voice that reads letters must not lean on what usually follows. Nouns, verbs, adjectives and
adverbs are WordNet's; each list is gone through in random order again and again, so all of its
words are met about equally often.
"""

import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from mamtra.corpus.synthetic.actions import inflect
from mamtra.corpus.synthetic.filling import SLOT, WITHOUT_SENSE, finish
from mamtra.corpus.synthetic.practice import useful_words
from mamtra.corpus.synthetic.word_file import lines_of, sections
from mamtra.corpus.synthetic.wordnet import words_by_part

MOST_WORDS = 40_000  # of the system's list, the most used first
PATTERNS = lines_of(sections("templates.txt")[WITHOUT_SENSE])


def rounds(words: Sequence[str], source: random.Random) -> Iterator[str]:
    """The words in random order, again and again, each time in another order."""
    while True:
        yield from source.sample(words, len(words))


def plural(noun: str) -> str:
    """The regular plural of a noun."""
    if re.search(r"(s|x|z|ch|sh)$", noun):
        return noun + "es"
    return noun[:-1] + "ies" if re.search(r"[^aeiou]y$", noun) else noun + "s"


def odd_sentences(
    count: int, source: random.Random, *, wordnet: Path, dictionary: Path
) -> list[str]:
    """Different sentences without sense; fewer than ``count`` where the words do not suffice.

    Raises:
        CorpusError: WordNet or the word list is not installed.
    """
    known = set(useful_words(wordnet, dictionary, MOST_WORDS))
    by_part = words_by_part(wordnet)
    parts = {name: [word for word in by_part[name] if word in known] for name in by_part}
    # a list that is empty in a small dictionary is stood in for by a word that fits
    spare = {"noun": "thing", "verb": "take", "adj": "small", "adv": "soon"}
    draw = {name: rounds(parts.get(name) or [word], source) for name, word in spare.items()}

    def word(kind: str) -> str:
        if kind in draw:
            return next(draw[kind])
        if kind == "nouns":
            return plural(next(draw["noun"]))
        return inflect(next(draw["verb"]))[kind]

    found: dict[str, None] = {}
    for _ in range(3 * count):  # few words give few different sentences
        if len(found) == count:
            break
        pattern = source.choice(PATTERNS)
        found[finish(SLOT.sub(lambda slot: word(slot[1]), pattern))] = None
    return list(found)
