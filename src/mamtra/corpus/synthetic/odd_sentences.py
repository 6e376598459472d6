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
from mamtra.corpus.synthetic.filling import finish
from mamtra.corpus.synthetic.practice import useful_words
from mamtra.corpus.synthetic.wordnet import words_by_part

MOST_WORDS = 40_000  # of the system's list, the most used first
SLOT = re.compile(r"\{(\w+)\}")
PATTERNS = (
    "the {adj} {noun} {did} the {adj} {noun}.",
    "a {adj} {noun} {did} a {adj} {noun}.",
    "the {noun} {does} the {adj} {noun}.",
    "some {adj} {nouns} {verb} the {noun}.",
    "the {noun} {did} near the {adj} {noun}.",
    "a {noun} {does} behind the {adj} {noun}.",
    "when does the {noun} {verb} the {adj} {noun}?",
    "why did the {adj} {noun} {verb} the {noun}?",
    "how will the {noun} {verb} a {adj} {noun}?",
    "does the {noun} {verb} the {nouns}?",
    "who {did} the {noun} of the {adj} {noun}?",
    "they {verb} {nouns}, {nouns} and {nouns}.",
    "{adv}, the {noun} {did} a {adj} {noun}.",
    "the {nouns} {did} {adv}, but the {noun} was {adj}.",
    "never {verb} a {adj} {noun} with a {noun}.",
    "we {did} the {noun}, and she {did} the {adj} {nouns}.",
    "is the {noun} more {adj} than the {noun}?",
    "his {noun} is {adj}; her {noun} is {adj}.",
    "two {adj} {nouns} {did} from the {noun} to the {noun}.",
    "the {noun} was {done} by a {adj} {noun}.",
    "I was {doing} the {noun} while you {did} my {noun}.",
    "{verb} the {noun}, please, and {verb} the {nouns}!",
    "the {noun} that {did} the {noun} {does} {adv}.",
    "between the {noun} and the {noun}, {adj} {nouns} {verb}.",
    "if the {noun} {does}, our {adj} {noun} will {verb} the {noun} {adv}.",
)


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
