"""Sentences of the kinds that stories lack: numbers, names, letters, answers of a word, long ones.

What holds figures is written with them and then read by our own normaliser, so the voice learns
the words that it will be given.
"""

import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from mamtra.corpus.synthetic.filling import STATEMENTS, fill, filled_templates, finish
from mamtra.text.normalize import normalize

LONGEST_WORDS = 40
LONG_JOINTS = (", and ", ", but ", ", so ", "; ", ", because ", ", while ", ", although ")
SPEECH_VERBS = ("said", "asked", "answered", "whispered", "shouted", "replied")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
FIGURES: tuple[Callable[[random.Random], str], ...] = (
    lambda r: f"It costs ${r.randint(1, 999)}.{r.randint(10, 99)}.",
    lambda r: f"The train leaves at {r.randint(1, 12)}:{r.randint(10, 59)}.",
    lambda r: f"She was born on {r.choice(MONTHS)} {r.randint(1, 28)}, {r.randint(1900, 2025)}.",
    lambda r: f"There were {r.randint(2, 99999):,} people in the square.",
    lambda r: f"About {r.randint(1, 100)}% of them agreed.",
    lambda r: f"Call me at 555-{r.randint(0, 9999):04d}.",
    lambda r: f"He lives at number {r.randint(1, 999)}, on the {r.randint(1, 30)}th floor.",
    lambda r: f"The answer is {r.randint(0, 99)}.{r.randint(1, 9)}.",
    lambda r: f"{r.randint(1, 99)} plus {r.randint(1, 99)} is {r.randint(2, 198)}.",
    lambda r: f"Chapter {r.randint(1, 60)}, page {r.randint(1, 999)}.",
    lambda r: f"{r.randint(0, 1000)}.",
    lambda r: f"{r.randint(1, 20)}, {r.randint(1, 99)}, {r.randint(1, 999)}, {r.randint(1, 9)}.",
    lambda r: f"In {r.randint(1500, 2030)}, {r.randint(2, 900)} ships sailed past the island.",
    lambda r: f"Is it {r.randint(1, 12)} o'clock, or {r.randint(1, 12)}:{r.randint(10, 59)}?",
)


def letters(source: random.Random) -> str:
    """Names of letters, spelled as the normaliser spells them."""
    count = source.choice((1, 1, 2, 3, 3, 4))
    chosen = [source.choice("BCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(count)]
    form = source.choice(("{}.", "{}.", "{}?", "The letters {}.", "It is spelled {}."))
    return finish(normalize(form.format(", ".join(chosen))))


def names(found: Sequence[str], source: random.Random) -> str:
    """A sentence with the names of people and places."""
    first, second, third = (source.choice(found) for _ in range(3))
    forms = (
        f"{first} and {second} went to {third}.",
        f"This is {first} {second} from {third}.",
        f"Have you met {first}?",
        f"{first}, {second} or {third}?",
        f"My friend {first} has lived in {second} for years.",
        f"Where is {first}?",
        f"{first} wrote to {second} about {third}.",
        f"{first} {second}.",
    )
    return source.choice(forms)


def proper_names(dictionary: Path) -> list[str]:
    """The words of the system's list that begin with a capital."""
    words = dictionary.read_text(encoding="utf-8").split()
    return [word for word in words if re.fullmatch(r"(?=.*[aeiouy])[A-Z][a-z]{2,12}", word)]


def answer(words: Sequence[str], source: random.Random) -> str:
    """One word, or two, as a whole utterance."""
    chosen = [source.choice(words) for _ in range(source.choice((1, 1, 1, 2)))]
    return finish(" ".join(chosen) + source.choice("...?!"))


def dialogue(source: random.Random) -> str:
    """Somebody says something and is named after it."""
    said = filled_templates(1, source)[0]
    end = said[-1] if said[-1] in "?!" else ","
    who = fill("{who}", source)
    return said[:-1] + f"{end} {source.choice(SPEECH_VERBS)} {who[0].lower() + who[1:]}."


def long_sentence(source: random.Random) -> str:
    """Several statements in one sentence, up to ``LONGEST_WORDS`` words."""
    text = fill(source.choice(STATEMENTS), source).removesuffix(".")
    most = source.randint(18, LONGEST_WORDS)
    for _ in range(8):
        more = fill(source.choice(STATEMENTS), source).removesuffix(".")
        if len(text.split()) + len(more.split()) + 2 > most:
            break
        text += source.choice(LONG_JOINTS) + more[0].lower() + more[1:]
    return text + "."


def other_kinds(
    count: int, words: Sequence[str], source: random.Random, *, dictionary: Path
) -> list[str]:
    """Different sentences of all the kinds above."""
    proper = proper_names(dictionary) or ["Anna", "Robert", "Boston"]
    makers: list[tuple[Callable[[], str], float]] = [
        (lambda: finish(normalize(source.choice(FIGURES)(source))), 0.2),
        (lambda: letters(source), 0.05),
        (lambda: names(proper, source), 0.2),
        (lambda: answer(words, source), 0.2),
        (lambda: dialogue(source), 0.1),
        (lambda: long_sentence(source), 0.25),
    ]
    choices, weights = zip(*makers, strict=True)
    found: dict[str, None] = {}
    for _ in range(3 * count):  # few words give few different sentences
        if len(found) == count:
            break
        found[source.choices(choices, weights)[0]()] = None
    return list(found)
