"""What the synthetic corpus says: a seeded mixture for training, and sentences held out for tests.

Five sources: templates about daily life, WordNet's example sentences, sentences without sense over
a large word list, other kinds (numbers, names, letters, answers, long ones), and word practice. The
held-out sentences were written one by one; no training sentence shares a run of five words or
most of its words with any of them.
"""

import random
from importlib import resources
from pathlib import Path

from mamtra.corpus.synthetic.filling import filled_templates
from mamtra.corpus.synthetic.kinds import other_kinds
from mamtra.corpus.synthetic.neighbours import exclude_neighbours, neighbours
from mamtra.corpus.synthetic.odd_sentences import odd_sentences
from mamtra.corpus.synthetic.practice import DICTIONARY, practice, useful_words
from mamtra.corpus.synthetic.spoken_words import words_of
from mamtra.corpus.synthetic.wordnet import FOLDER, examples
from mamtra.errors import CorpusError

__all__ = ["exclude_neighbours", "held_out_sentences", "neighbours", "training_sentences"]

WORDNET_SHARE = 0.25
ODD_SHARE = 0.25
OTHER_SHARE = 0.20
PRACTICE_SHARE = 0.10  # templates give the rest
HELD_OUT = {
    "everyday": "held_out.txt",
    "unpredictable": "held_out_unpredictable.txt",
    "answers": "held_out_answers.txt",
}
SPARE = 1.05  # so many more are filled, because some are neighbours of held-out sentences
PHRASE_WORDS = 3  # an example this short is a phrase; WordNet has many
PHRASE_SHARE = 0.25  # of the phrases come before the sentences run out


def held_out_sentences(kind: str = "everyday") -> list[str]:
    """The sentences for tests of one kind, in fixed order; no training sentence comes near them.

    Args:
        kind: ``everyday``, ``unpredictable`` (grammatical, without sense) or ``answers`` (a word).

    Raises:
        CorpusError: there is no such kind.
    """
    if kind not in HELD_OUT:
        raise CorpusError(f"no held-out sentences of kind {kind!r}; known: {', '.join(HELD_OUT)}")
    text = resources.files("mamtra.corpus").joinpath(HELD_OUT[kind]).read_text(encoding="ascii")
    return text.splitlines()


def all_held_out() -> list[str]:
    """The held-out sentences of all kinds."""
    return [sentence for kind in HELD_OUT for sentence in held_out_sentences(kind)]


def quotations(count: int, wordnet: Path, held_out: list[str], source: random.Random) -> list[str]:
    """Examples of WordNet in random order, most of the short phrases last; ``count`` at most."""
    found = exclude_neighbours(examples(wordnet), held_out)
    source.shuffle(found)
    late = {
        sentence: len(words_of(sentence)) <= PHRASE_WORDS and source.random() >= PHRASE_SHARE
        for sentence in found
    }
    return sorted(found, key=late.__getitem__)[:count]


def training_sentences(
    count: int, seed: int, *, wordnet: Path = FOLDER, dictionary: Path = DICTIONARY
) -> list[str]:
    """Different sentences for training, mixed; the same for the same seed.

    Where WordNet has too few examples, templates take their place.

    Args:
        count: how many.
        seed: of the choice and the order.
        wordnet: the folder of Debian's wordnet-base.
        dictionary: the word list of Debian's wamerican.

    Raises:
        CorpusError: ``count`` is not positive, or WordNet or the word list is not installed.
    """
    if count < 1:
        raise CorpusError(f"cannot make {count} sentences; give a count of 1 or more")
    source = random.Random(f"sentences {seed}")
    held_out = all_held_out()
    useful = useful_words(wordnet, dictionary)
    quoted = quotations(round(count * WORDNET_SHARE), wordnet, held_out, source)
    odd = odd_sentences(round(count * ODD_SHARE), source, wordnet=wordnet, dictionary=dictionary)
    kinds = other_kinds(round(count * OTHER_SHARE), useful, source, dictionary=dictionary)
    rare = exclude_neighbours([*odd, *kinds], held_out)
    lists = round(count * PRACTICE_SHARE)
    needed = max(0, count - len(quoted) - len(rare) - lists)
    filled = exclude_neighbours(filled_templates(round(needed * SPARE) + 20, source), held_out)
    others = [*quoted, *rare, *filled[:needed]]
    practised = exclude_neighbours(practice(lists, useful, others, source), held_out)
    mixed = list(dict.fromkeys([*quoted, *rare, *practised, *filled]))[:count]
    source.shuffle(mixed)
    return mixed
