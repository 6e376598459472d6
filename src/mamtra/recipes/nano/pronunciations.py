"""The stage that writes down how words are pronounced, as the corpus's source reads them.

A word is taken if the source says it the same way wherever the corpus has it; words that the
corpus lacks come from the source's own lexicon, if it knows one way to say them. The rest stays in
letters.
"""

import gzip
import json
from collections import Counter, defaultdict
from pathlib import Path

from mamtra.atomic import write_file
from mamtra.corpus.synthetic.aligned import words_of_symbols
from mamtra.corpus.synthetic.hibari import reader, spoken_symbols
from mamtra.corpus.synthetic.manifest import Corpus
from mamtra.errors import CorpusError
from mamtra.text.phones import PHONES
from mamtra.text.pronunciations import WORD

LEXICON = "lexicon_us_gold.json.gz"  # in hibari's package
SAME_SHARE = 0.97  # of a word's places in the corpus, else the sentence decides how it is said
OFTEN = 10  # places in the corpus that tell more than the lexicon
EDGE_MARKS = ".,?!;:-"


def in_corpus(corpus: Corpus) -> dict[str, Counter[str]]:
    """Words of the training sentences, with how often each way to say them was heard."""
    heard: dict[str, Counter[str]] = defaultdict(Counter)
    for utterance in corpus.choose("train"):
        for written, phones in utterance.words:
            heard[written.strip(EDGE_MARKS).lower()][phones] += 1
    return heard


def in_lexicon() -> dict[str, str]:
    """Words of the source's lexicon in lower case; the empty text for several ways to say one.

    Raises:
        MissingExtraError: hibari is not installed.
    """
    assets = Path(reader().model_path).parent
    with gzip.open(assets / LEXICON, "rt", encoding="utf-8") as file:
        entries: dict[str, object] = json.load(file)
    said: dict[str, set[str]] = defaultdict(set)
    for word, known in entries.items():
        if not WORD.fullmatch(word) or "-" in word:
            continue
        phones = said[word.lower()]
        if isinstance(known, dict):  # it depends on the part of speech
            phones |= {"", word}
            continue
        try:
            [(_, names)] = words_of_symbols(word, spoken_symbols(word))
        except (CorpusError, ValueError):
            continue
        phones.add(" ".join(names))
    return {word: ways.pop() if len(ways) == 1 else "" for word, ways in said.items()}


def pronunciations(corpus: Corpus) -> dict[str, str]:
    """Words and their phones, or the empty text where there are several ways to say one.

    Raises:
        MissingExtraError: hibari is not installed.
    """
    known = in_lexicon()
    for word, counts in in_corpus(corpus).items():
        if word not in known or counts.total() >= OFTEN:
            phones, count = counts.most_common(1)[0]
            known[word] = phones if count >= SAME_SHARE * counts.total() else ""
    return known


def write_pronunciations(corpus: Corpus, path: Path) -> None:
    """Write the file of pronunciations of a corpus.

    Raises:
        MissingExtraError: hibari is not installed.
    """
    rows = [
        f"{word}\t{phones}"
        for word, phones in sorted(pronunciations(corpus).items())
        if phones and WORD.fullmatch(word) and "-" not in word and {*phones.split()} <= {*PHONES}
    ]
    write_file(path, "\n".join(rows) + "\n")
