"""Pauses that a text asks for."""

import re

import pytest

from mamtra.errors import NothingToSpeakError, TextError
from mamtra.text.pauses import LONGEST_SECONDS, Passage, attached, passages, timed_pieces


@pytest.mark.parametrize(
    ("mark", "seconds"),
    [
        ("[pause 0.5]", 0.5),
        ("[pause 500ms]", 0.5),
        ("[pause 2 s]", 2.0),
        ("[Pause=1]", 1.0),
        ("[pause]", 0.4),
        ('<break time="500ms"/>', 0.5),
        ("<break time='1.5s' />", 1.5),
        ('<break strength="x-weak"/>', 0.1),
        ('<break strength="weak" time="0.8s"/>', 0.8),
        ("<break/>", 0.4),
    ],
)
def test_a_mark_cuts_the_text_and_says_how_long_to_be_silent(mark: str, seconds: float) -> None:
    assert passages(f"One. {mark} Two.") == [Passage("One. ", seconds), Passage(" Two.")]


def test_text_without_marks_is_one_passage() -> None:
    assert passages("I pause [here] for a break.") == [Passage("I pause [here] for a break.")]


def test_marks_in_a_row_add_up_and_one_before_any_word_comes_first() -> None:
    assert passages("[pause 1] One [pause 1]. [pause 0.5] Two [pause 3]") == [
        Passage("", 1.0),
        Passage(" One ", 1.5),
        Passage(" Two ", 3.0),
    ]
    assert passages("One" + "[pause 9]" * 9) == [Passage("One", LONGEST_SECONDS)]


@pytest.mark.parametrize(
    "mark", ["[pause long]", "[pause 11]", "[pause .]", '<break time="soon"/>', "[pause 1 hour]"]
)
def test_a_mark_without_a_possible_time_is_one_sentence_that_quotes_it(mark: str) -> None:
    with pytest.raises(TextError, match="pause"):
        passages(f"One {mark} two.")


def test_an_unknown_strength_lists_the_known_ones() -> None:
    with pytest.raises(TextError, match="x-strong"):
        passages('One <break strength="huge"/> two.')


def cut(text: str) -> list[str]:
    """Cuts at full stops; refuses text without Latin letters."""
    if not re.search("[A-Za-z]", text):
        raise NothingToSpeakError("nothing to speak")
    return [part.strip() + "." for part in text.split(".") if part.strip()]


def test_the_last_piece_of_a_passage_has_its_pause() -> None:
    assert timed_pieces("One. Two. [pause 1] Three.", cut) == [
        Passage("One."),
        Passage("Two.", 1.0),
        Passage("Three."),
    ]


def test_a_passage_that_cannot_be_spoken_is_left_out_and_its_pause_stays() -> None:
    assert timed_pieces("One. [pause 1] 你好 [pause 2] Two.", cut) == [
        Passage("One.", 3.0),
        Passage("Two."),
    ]
    assert timed_pieces("[pause 1]", cut) == [Passage("", 1.0)]
    with pytest.raises(NothingToSpeakError):
        timed_pieces("[pause 1] 你好", cut)
    with pytest.raises(NothingToSpeakError):
        timed_pieces("", cut)


def test_a_mark_in_a_paragraph_of_its_own_belongs_to_the_one_before() -> None:
    assert attached("One.\n\n[pause 1]\n\nTwo.") == "One. [pause 1]\n\nTwo."
