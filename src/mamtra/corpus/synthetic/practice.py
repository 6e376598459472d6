"""Word practice: short lists such as "River, garden, window." that bring in rarer words.

Sentences repeat the common words; a voice that reads letters must have met many words. So every
useful word that the sentences leave out is practised until it was met twice.
"""

import os
import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from mamtra.corpus.synthetic.spoken_words import words_of
from mamtra.corpus.synthetic.wordnet import word_counts
from mamtra.errors import CorpusError

# of Debian's wamerican, or any list with one word a line
DICTIONARY = Path(os.environ.get("MAMTRA_WORD_LIST", "/usr/share/dict/american-english"))
USEFUL_WORDS = 15_000
MEETINGS = 2  # how often every useful word should occur in a whole corpus
LIST_WORDS = (2, 6)
PATTERNS = (
    "{list}.",
    "{list}.",
    "{list}.",
    "{list}?",
    "{list}!",
    "{but_last}, and {last}.",
    "{but_last} or {last}?",
    "{but_last}; {last}.",
)


def useful_words(wordnet: Path, dictionary: Path, most: int = USEFUL_WORDS) -> list[str]:
    """The words of the system's list that WordNet uses most, the most used first.

    Raises:
        CorpusError: the word list or WordNet is not installed.
    """
    if not dictionary.exists():
        raise CorpusError(
            f"no word list {str(dictionary)!r}; run: apt-get install wamerican, "
            "or name another list in MAMTRA_WORD_LIST"
        )
    spelled = {
        word
        for word in dictionary.read_text(encoding="utf-8").split()
        if re.fullmatch(r"(?=.*[aeiouy])[a-z]{2,16}", word)
    }
    counts = word_counts(wordnet)
    ranked = sorted(spelled & counts.keys(), key=lambda word: (-counts[word], word))
    return ranked[:most]


def arranged(words: Sequence[str], count: int, source: random.Random) -> list[str]:
    """Short lists of words in their order, until the words or the lists run out."""
    lists, place = [], 0
    while place < len(words) and len(lists) < count:
        size = source.randint(*LIST_WORDS)
        chosen = list(dict.fromkeys(words[place : place + size]))
        place += size
        pattern = source.choice(PATTERNS) if len(chosen) > 1 else "{list}."
        text = pattern.format(
            list=", ".join(chosen), but_last=", ".join(chosen[:-1]), last=chosen[-1]
        )
        lists.append(text[0].upper() + text[1:])
    return lists


def practice(
    count: int, useful: Sequence[str], sentences: Iterable[str], source: random.Random
) -> list[str]:
    """Lists of the useful words that ``sentences`` hold too seldom, then of any useful words.

    Args:
        count: lists to make; fewer where two come out equal.
        useful: the words worth knowing, the most useful first.
        sentences: what the voice reads besides.
        source: of the random order.
    """
    met = Counter(word for sentence in sentences for word in words_of(sentence))
    missing = [word for word in useful for _ in range(MEETINGS - met[word])]
    missing = missing[: count * sum(LIST_WORDS) // 2]
    source.shuffle(missing)
    spare = source.choices(useful, k=count * max(LIST_WORDS)) if useful else []
    return list(dict.fromkeys(arranged([*missing, *spare], count, source)))
