"""Fill the templates: choose words for the slots, and mend what the choice requires.

A slot may hold slots; they are filled until none is left. The same seed gives the same sentences
on every machine.
"""

import random
import re

from mamtra.corpus.synthetic.actions import LISTS, forms
from mamtra.corpus.synthetic.spoken_words import words_of
from mamtra.corpus.synthetic.word_file import lines_of, listed, sections

SLOT = re.compile(r"\{(\w+)\}")
# "a useful", "a European" and "a one-legged" begin with a consonant; "an hour" does not
A_BEFORE_VOWEL = re.compile(
    r"\b([Aa])(?= (?:hour|honest|honor|[aeio](?!ne\b|ne-|nce\b|uro)|u(?!ni|se|su|k)))"
)
FIRST_LETTER = re.compile(r"[a-z]", re.IGNORECASE)
LONGEST_WORDS = 18
# longer words that may stand twice in one sentence; any other repetition reads as a slip
MAY_REPEAT = frozenset(
    {"that", "with", "have", "while", "like", "don't", "will", "more", "five", "nine", "four"}
)

JOINED_SHARE = 0.15  # of the sentences are two plain statements in one
JOINTS = (", and ", ", but ", ", so ", "; ", ", because ", " before ", " when ", ", or maybe ")
OPENINGS = ("The {", "{one} {d", "{many} {", "{who} {", "{possessive} {", "There ")

WITHOUT_SENSE = "without sense"  # the section of odd_sentences.py
SLOTS = {
    **{name: listed(text) for name, text in sections("slots.txt").items()},
    **forms(LISTS["of people"]),
    **forms(LISTS["of animals"], "_animal"),
}
TEMPLATES = tuple(
    line
    for name, text in sections("templates.txt").items()
    if name != WITHOUT_SENSE
    for line in lines_of(text)
)
STATEMENTS = tuple(
    line
    for line in TEMPLATES
    if line.startswith(OPENINGS) and line.endswith(".") and "," not in line
)


def finish(sentence: str) -> str:
    """Set the first letter as a capital and write "an" where a vowel follows."""
    sentence = A_BEFORE_VOWEL.sub(r"\1n", sentence)
    return FIRST_LETTER.sub(lambda letter: letter[0].upper(), sentence, count=1)


def fill(template: str, source: random.Random) -> str:
    """Replace every slot of a template by a random entry of its list."""
    while SLOT.search(template):
        template = SLOT.sub(lambda slot: source.choice(SLOTS[slot[1]]), template)
    return finish(template)


def choose_template(source: random.Random) -> str:
    """A template, or two statements joined in one."""
    if source.random() >= JOINED_SHARE:
        return source.choice(TEMPLATES)
    first, second = source.choice(STATEMENTS), source.choice(STATEMENTS)
    second = second[0].lower() + second[1:]
    return first.removesuffix(".") + source.choice(JOINTS) + second


def reads_well(sentence: str) -> bool:
    """Whether a filled sentence is short enough and says no longer word twice."""
    words = words_of(sentence)
    long_words = [word for word in words if len(word) > 3 and word not in MAY_REPEAT]
    return len(words) <= LONGEST_WORDS and len(long_words) == len(set(long_words))


def filled_templates(count: int, source: random.Random) -> list[str]:
    """Different sentences from the templates, every template about equally often."""
    found: dict[str, None] = {}
    while len(found) < count:
        sentence = fill(choose_template(source), source)
        if reads_well(sentence):
            found[sentence] = None
    return list(found)
