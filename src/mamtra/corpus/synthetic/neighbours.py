"""Keep training sentences away from held-out ones, so that a test tests.

Two sentences are neighbours when they are equal but for case and marks, share a run of five words,
or share most of their words. An index over runs and words makes the search fast.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable

from mamtra.corpus.synthetic.spoken_words import words_of

RUN_WORDS = 5
SHARED_WORDS = 0.7  # words in common over all words of both


def runs_of(words: list[str]) -> set[tuple[str, ...]]:
    """All runs of ``RUN_WORDS`` words."""
    return {tuple(words[i : i + RUN_WORDS]) for i in range(len(words) - RUN_WORDS + 1)}


class Neighbourhood:
    """Held-out sentences, indexed by their runs of words and by their words."""

    def __init__(self, held_out: Iterable[str]) -> None:
        self.sentences = list(held_out)
        self.plain: dict[tuple[str, ...], list[int]] = defaultdict(list)
        self.runs: dict[tuple[str, ...], set[int]] = defaultdict(set)
        self.by_word: dict[str, list[int]] = defaultdict(list)
        self.sizes: list[int] = []
        for number, sentence in enumerate(self.sentences):
            words = words_of(sentence)
            self.plain[tuple(words)].append(number)
            for run in runs_of(words):
                self.runs[run].add(number)
            for word in set(words):
                self.by_word[word].append(number)
            self.sizes.append(len(set(words)))

    def near(self, sentence: str) -> list[str]:
        """The held-out sentences that are neighbours of one sentence."""
        words = words_of(sentence)
        found = set(self.plain.get(tuple(words), ()))
        for run in runs_of(words):
            found |= self.runs.get(run, set())
        distinct = set(words)
        shared = Counter(number for word in distinct for number in self.by_word.get(word, ()))
        for number, common in shared.items():
            if common >= SHARED_WORDS * (len(distinct) + self.sizes[number] - common):
                found.add(number)
        return [self.sentences[number] for number in sorted(found)]


def neighbours(sentence: str, others: Iterable[str]) -> list[str]:
    """Those of the others that are neighbours of a sentence."""
    return Neighbourhood(others).near(sentence)


def exclude_neighbours(sentences: Iterable[str], held_out: Iterable[str]) -> list[str]:
    """The sentences that have no neighbour among the held-out ones, in their order."""
    hood = Neighbourhood(held_out)
    return [sentence for sentence in sentences if not hood.near(sentence)]
