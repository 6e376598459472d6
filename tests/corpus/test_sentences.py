"""Training sentences are many, clean, repeatable and far from the held-out ones."""

import hashlib
import random
import re
from pathlib import Path

import pytest

from mamtra.corpus.synthetic import filling, wordnet
from mamtra.corpus.synthetic.actions import LISTS, inflect
from mamtra.corpus.synthetic.practice import DICTIONARY, practice, useful_words
from mamtra.corpus.synthetic.sentences import (
    exclude_neighbours,
    held_out_sentences,
    neighbours,
    training_sentences,
)
from mamtra.corpus.synthetic.spoken_words import words_of
from mamtra.errors import CorpusError

SPEAKABLE = re.compile(r"[A-Z][A-Za-z' ,;:.?!-]*[.?!]")
HELD_OUT = "The weather was fine, so we walked along the river until evening."
# of 1,000 sentences over the toy dictionary below; new words or templates change it
DIGEST_OF_SEED_0 = "3dc561e4e4486e25cec9d6c33d24aead80f5d3ccec5d83b5aedad46ae9f345a1"

LICENCE = "  1 This is where the licence stands\n"
ENTRIES = {
    "noun": '00001740 03 n 02 river 0 stream 0 000 | flowing water; "the river was wide"\n'
    '00001741 03 n 01 insult 0 000 | an offensive word; "he used an ugly insult"\n',
    "verb": '00001742 29 v 01 walk 0 000 | go on foot; "Walk fast!"; "we walked at 8 AM"\n',
    "adj": '00001743 00 a 01 wide 0 000 | of great width; "a wide road - and an empty one"\n',
    "adv": '00001744 02 r 01 slowly 0 000 | without speed; "he spoke slowly"; "slowly"\n',
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for part, text in ENTRIES.items():
        (tmp_path / f"data.{part}").write_text(LICENCE + text)
    (tmp_path / "cntlist.rev").write_text("walk%2:38:00:: 1 20\nriver%1:17:00:: 1 3\n")
    (tmp_path / "words").write_text("walk\nriver\nwidth\ninsult\nzebra\nriver's\nParis\n")
    return tmp_path


def sentences(folder: Path, count: int = 400, seed: int = 0) -> list[str]:
    return training_sentences(count, seed, wordnet=folder, dictionary=folder / "words")


def test_held_out_sentences_are_plain_and_different() -> None:
    held_out = held_out_sentences()
    assert HELD_OUT in held_out
    assert len(held_out) == len(set(held_out)) >= 240
    assert all(SPEAKABLE.fullmatch(sentence) for sentence in held_out)
    assert all(4 <= len(words_of(sentence)) <= 15 for sentence in held_out)


def test_the_same_seed_gives_the_same_sentences_and_another_seed_others(folder: Path) -> None:
    first = sentences(folder)
    assert first == sentences(folder)
    assert len(first) == len(set(first)) == 400
    assert len(set(first) & set(sentences(folder, seed=1))) < 100


def test_a_seed_gives_the_sentences_that_it_always_gave(folder: Path) -> None:
    text = "\n".join(sentences(folder, count=1000))
    assert hashlib.sha256(text.encode()).hexdigest() == DIGEST_OF_SEED_0


def test_every_training_sentence_can_be_spoken_and_is_short(folder: Path) -> None:
    for sentence in sentences(folder):
        assert SPEAKABLE.fullmatch(sentence), sentence
        assert 1 <= len(words_of(sentence)) <= 45, sentence


def test_no_training_sentence_is_near_a_held_out_one(folder: Path) -> None:
    mixed = sentences(folder)
    assert exclude_neighbours(mixed, held_out_sentences()) == mixed


@pytest.mark.parametrize(
    "near",
    [
        "the weather was fine so WE walked along the river until evening",
        "Yesterday they walked along the river until noon.",
        "The weather was fine until evening, so we walked the river along.",
    ],
)
def test_equal_words_a_shared_run_and_mostly_shared_words_are_near(near: str) -> None:
    assert neighbours(near, [HELD_OUT, "My shirt is still wet."]) == [HELD_OUT]


def test_four_words_in_common_are_far() -> None:
    assert neighbours("He walked along the river alone.", [HELD_OUT]) == []


def test_every_template_uses_known_slots_and_can_read_well() -> None:
    known = set(filling.SLOTS)
    for template in filling.TEMPLATES:
        assert set(filling.SLOT.findall(template)) <= known, template
        tries = (filling.fill(template, random.Random(number)) for number in range(50))
        assert any(filling.reads_well(sentence) for sentence in tries), template
    for name, entries in filling.SLOTS.items():
        for entry in entries:
            assert set(filling.SLOT.findall(entry)) <= known, (name, entry)


def test_there_are_many_templates_and_many_words() -> None:
    written = [*filling.TEMPLATES, *(entry for slot in filling.SLOTS.values() for entry in slot)]
    words = {word for text in written for word in words_of(filling.SLOT.sub(" ", text))}
    assert len(set(filling.TEMPLATES)) >= 150
    assert len(words) >= 2500


@pytest.mark.parametrize(
    ("verb", "does", "did", "done", "doing"),
    [
        ("carry", "carries", "carried", "carried", "carrying"),
        ("play", "plays", "played", "played", "playing"),
        ("stop", "stops", "stopped", "stopped", "stopping"),
        ("take", "takes", "took", "taken", "taking"),
        ("tie", "ties", "tied", "tied", "tying"),
        ("agree", "agrees", "agreed", "agreed", "agreeing"),
        ("go", "goes", "went", "gone", "going"),
        ("have", "has", "had", "had", "having"),
    ],
)
def test_verbs_are_inflected(verb: str, does: str, did: str, done: str, doing: str) -> None:
    forms = inflect(verb)
    assert forms == {"do": verb, "does": does, "did": did, "done": done, "doing": doing}


def test_every_action_begins_with_a_verb() -> None:
    assert all(re.fullmatch(r"[a-z]+", action.split()[0]) for action in LISTS["of people"])


def test_a_becomes_an_before_a_vowel_that_sounds() -> None:
    assert filling.finish("a old man saw a useful hour") == "An old man saw a useful hour"
    assert filling.finish("a hour and a umbrella") == "An hour and an umbrella"
    assert filling.finish("a one-way ticket") == "A one-way ticket"


def test_examples_of_wordnet_become_sentences(folder: Path) -> None:
    assert wordnet.examples(folder) == [
        "The river was wide.",
        "Walk fast!",
        "A wide road, and an empty one.",
        "He spoke slowly.",
    ]


def test_useful_words_are_ranked_and_the_hurtful_ones_are_left_out(folder: Path) -> None:
    assert useful_words(folder, folder / "words") == ["walk", "river", "width"]


def test_practice_brings_in_the_words_that_sentences_leave_out() -> None:
    lists = practice(4, ["river", "garden", "window"], ["The river."] * 2, random.Random(0))
    words = [word for text in lists for word in words_of(text)]
    assert words.count("garden") >= 2
    assert words.count("window") >= 2


def test_a_missing_wordnet_and_a_missing_word_list_name_the_package(folder: Path) -> None:
    with pytest.raises(CorpusError, match="apt-get install wamerican"):
        training_sentences(10, 0, wordnet=folder, dictionary=folder / "none")
    with pytest.raises(CorpusError, match="apt-get install wordnet-base"):
        training_sentences(10, 0, wordnet=folder / "none", dictionary=folder / "words")
    with pytest.raises(CorpusError, match="1 or more"):
        sentences(folder, count=0)


@pytest.mark.slow
@pytest.mark.skipif(
    not (DICTIONARY.exists() and wordnet.FOLDER.exists()), reason="WordNet is not installed"
)
def test_a_whole_corpus_meets_every_useful_word_twice() -> None:
    mixed = training_sentences(45_000, seed=0)
    assert len(mixed) == len(set(mixed)) == 45_000
    met: dict[str, int] = {}
    for sentence in mixed:
        for word in words_of(sentence):
            met[word] = met.get(word, 0) + 1
    useful = useful_words(wordnet.FOLDER, DICTIONARY)
    assert len(useful) == 15_000
    assert all(met.get(word, 0) >= 2 for word in useful)
