"""The judge: both sides in the same words, the same answer every time, three forms."""

import numpy as np
import pytest

import mamtra
from mamtra.errors import ConfigError
from mamtra.evaluation.judges.judge import Hearing
from mamtra.evaluation.judges.pocketsphinx import Pocketsphinx, unigram_file
from mamtra.evaluation.word_errors import plain_words

pytest.importorskip("pocketsphinx")

RATE_HZ = 24_000
SENTENCES = [
    "We had dinner with our neighbors on Saturday night.",
    "He forgot his keys at the office again.",
    "What time does the next bus arrive?",
]


@pytest.fixture(scope="module")
def spoken() -> list[np.ndarray]:
    synthesizer = mamtra.load("nano")
    return [synthesizer.say(text, seed=0).samples for text in SENTENCES]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It's five o'clock, Mr. Smith!", "it's five o'clock mister smith"),
        ("It costs $3.50.", "it costs three dollars and fifty cents"),
        ("a well-known SIGHT", "a well known sight"),
        ("...", ""),
        ("", ""),
    ],
)
def test_both_sides_are_compared_as_spoken_words(text: str, words: str) -> None:
    assert plain_words(text) == words


def test_plain_words_are_plain_already() -> None:
    words = plain_words("The 3 of us, at 5 p.m., saw it's no. 7.")
    assert plain_words(words) == words


def test_words_are_as_probable_as_they_are_frequent() -> None:
    lines = unigram_file([["a", "b", "a"], ["c"]]).splitlines()
    assert "ngram 1=5" in lines
    probabilities = {word: 10 ** float(number) for number, word in map(str.split, lines[4:9])}
    assert probabilities.pop("<s>") == 0 or probabilities.get("<s>", 0) < 1e-9
    assert sum(probabilities.values()) == pytest.approx(1, abs=1e-3)
    assert probabilities["a"] == pytest.approx(2 * probabilities["b"], rel=1e-3)


def test_an_unknown_form_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="default, unigram, choice"):
        Pocketsphinx("trigram", SENTENCES)


def test_a_form_that_needs_sentences_says_so() -> None:
    with pytest.raises(ConfigError, match="needs test sentences"):
        Pocketsphinx("unigram", [])


def test_silence_is_heard_as_nothing_or_little() -> None:
    silence = np.zeros(8000, np.float32)
    assert len(Pocketsphinx("default").hear(silence, 16_000).split()) <= 1


def test_words_it_cannot_hear_are_listed_and_do_no_harm(spoken: list[np.ndarray]) -> None:
    sentences = [*SENTENCES, "He saw the blixtwump again."]
    judge = Pocketsphinx("choice", sentences)
    assert judge.unknown == ["blixtwump"]
    assert judge.hear(spoken[1], RATE_HZ) == plain_words(SENTENCES[1])


def test_choice_names_the_sentence_that_was_said(spoken: list[np.ndarray]) -> None:
    judge = Pocketsphinx("choice", SENTENCES)
    assert isinstance(judge, Hearing)
    heard = [judge.hear(samples, RATE_HZ) for samples in spoken]
    assert heard == [plain_words(text) for text in SENTENCES]


def test_the_order_of_clips_does_not_matter_and_another_rate_little(
    spoken: list[np.ndarray],
) -> None:
    judge = Pocketsphinx("unigram", SENTENCES)
    forth = [judge.hear(samples, RATE_HZ) for samples in spoken]
    back = [judge.hear(samples, RATE_HZ) for samples in reversed(spoken)]
    assert forth == back[::-1]
    known = {word for text in SENTENCES for word in plain_words(text).split()}
    assert set(" ".join(forth).split()) <= known
    slow = np.repeat(spoken[1], 2)
    assert judge.hear(slow, 2 * RATE_HZ)


def test_the_default_form_hears_more_of_what_was_said_than_of_anything_else(
    spoken: list[np.ndarray],
) -> None:
    heard = set(Pocketsphinx("default").hear(spoken[1], RATE_HZ).split())
    said, *others = (
        len(heard & set(plain_words(SENTENCES[number]).split())) for number in (1, 0, 2)
    )
    assert said >= 3
    assert said > max(others)
