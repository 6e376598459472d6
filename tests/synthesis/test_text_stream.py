"""Text that is still being written: what can be spoken by now."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mamtra.errors import TextError
from mamtra.synthesis.text_reader import LettersReader, TextConfig
from mamtra.synthesis.text_stream import Arrived, ArrivingWords, arriving_pieces, paragraphs_of
from mamtra.text.pauses import Passage, timed_pieces

READER = LettersReader(TextConfig(), Path())


def timed(text: str) -> list[Passage]:
    return timed_pieces(text, READER.pieces)


def said(*parts: str) -> list[str]:
    return [arrived.text for arrived in arriving_pieces(iter(parts), timed)]


def encode(text: str) -> list[int]:
    return [ord(letter) for letter in text]


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_sentences_are_whole_wherever_the_text_is_cut(size: int) -> None:
    text = 'Dr. Smith paid $3.50. "Where?" He lost 2.5 kg! It works'
    parts = [text[start : start + size] for start in range(0, len(text), size)]
    assert said(*parts) == [
        "doctor Smith paid three dollars and fifty cents.",
        "Where?",
        "He lost two point five kilograms!",
        "It works",
    ]


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_a_mark_of_who_speaks_is_found_wherever_the_text_is_cut(size: int) -> None:
    text = "[voice:low] Who is it\n[voice:high] Me\n[voice:low]\nNobody"
    parts = [text[start : start + size] for start in range(0, len(text), size)]
    assert [one for group, _ in paragraphs_of(iter(parts)) for one in group] == [
        "[voice:low] Who is it",
        "[voice:high] Me",
        "[voice:low] Nobody",
    ]


def test_a_title_does_not_end_a_sentence_and_a_blank_after_a_mark_does() -> None:
    seen: list[str] = []

    def parts() -> Iterator[str]:
        for part in ("I met Dr. ", "Smith. ", "Then"):
            seen.append(part)
            yield part

    first = next(arriving_pieces(parts(), timed))
    assert first.text == "I met doctor Smith."
    assert seen == ["I met Dr. ", "Smith. "]


@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize(
    "text",
    [
        "Gov. Lee met Lt. Col. Brown on Jan. 6 at 4 p.m. EST. It rained.",
        "We met on Tues. Sept. 5 in St. Louis. Take 2 tbsp. oil and see Fig. 3 of it.",
        "She lives in the U.S. and works at Acme Inc. in town. He is 5 ft. 11 in. tall. Good.",
        "Martin Luther King Jr. spoke. See No. 5 or Vol. II of it.",
    ],
)
def test_abbreviations_go_on_wherever_the_text_is_cut(text: str, size: int) -> None:
    parts = [text[start : start + size] for start in range(0, len(text), size)]
    words = [f"{word} " for word in text.split()]
    assert " ".join(said(*parts)) == " ".join(said(*words)) == " ".join(READER.pieces(text))


def test_empty_lines_end_a_paragraph_even_without_a_mark() -> None:
    found = list(arriving_pieces(iter(["A title\n", "\n", "One line\n", "goes on.\n"]), timed))
    assert found == [
        Arrived(text="A title"),
        Arrived(text="One line goes on.", starts_paragraph=True),
    ]


def test_a_text_that_never_ends_is_cut_all_the_same() -> None:
    def endless() -> Iterator[str]:
        while True:
            yield "and then, again, "

    assert next(arriving_pieces(endless(), timed)).text.startswith("and then, again,")


def test_what_cannot_be_spoken_is_left_out_unless_it_is_all_or_a_wrong_phone() -> None:
    assert said("One. ", "*** ", "\n\n", "Two.") == ["One.", "Two."]
    with pytest.raises(TextError):
        said("***")
    with pytest.raises(TextError, match="zz"):
        said("One. ", "{zz zz} is wrong.")


def test_words_arrive_with_the_blank_before_them_and_make_up_the_text() -> None:
    words = ArrivingWords(iter(["Hel", "lo  the", "re.\nWe wait", "ed. "]), encode, enough=12)
    first = list(words.utterance())
    assert first == [encode("Hello"), encode(" there.")]
    assert words.text == "Hello there."
    assert words.has_more()
    assert list(words.utterance()) == [encode("We"), encode(" waited.")]
    assert not words.has_more()


@pytest.mark.parametrize("parts", [["\udc80 we wait."], ["We ", "wait \udc80."]])
def test_words_that_are_no_utf_8_are_refused_wherever_they_stand(parts: list[str]) -> None:
    def read_all() -> None:
        words = ArrivingWords(parts, encode, enough=12)
        while words.has_more():
            list(words.utterance())

    with pytest.raises(TextError, match="not UTF-8"):
        read_all()


def test_a_word_is_read_no_further_than_needed() -> None:
    asked = []

    def parts() -> Iterator[str]:
        for part in ("One two", " three", " four"):
            asked.append(part)
            yield part

    utterance = ArrivingWords(parts(), encode, enough=99).utterance()
    assert next(utterance) == encode("One")
    assert asked == ["One two"]


@pytest.mark.parametrize(
    "text",
    [
        "It costs $3.50 today, Dr. Smith said on May 5, 2024 at the door.",
        "About 10 000 people saw 5 kg of rice and 3:30 pm trains go by slowly.",
        "Plain words are said as they come.",
        "The U.S. won 7-2 in Aug. 2019 and then they went home.",
        "Room 5 is free",
    ],
)
def test_words_that_arrive_are_read_as_in_the_whole_text(text: str) -> None:
    words = ArrivingWords([f"{word} " for word in text.split(" ")], encode, 999, READER.whole)
    assert list(words.utterance())
    assert words.text == READER.whole(text)


def test_plain_words_do_not_wait_and_figures_wait_for_two_words() -> None:
    asked: list[str] = []

    def parts() -> Iterator[str]:
        for part in ("We ", "have ", "5 ", "kg ", "of ", "rice ", "here "):
            asked.append(part)
            yield part

    utterance = ArrivingWords(parts(), encode, 99, READER.whole).utterance()
    assert next(utterance) == encode("We")
    assert asked == ["We "]
    next(utterance)
    assert next(utterance) == encode(" five kilograms of")
    assert asked[-1] == "of "


def test_chinese_words_need_no_blanks() -> None:
    words = ArrivingWords(iter(["你好，今天", "很好。再", "见"]), encode, enough=4)
    assert list(words.utterance()) == [encode("你好，"), encode("今天很好。")]
    assert list(words.utterance()) == [encode("再见")]


def test_a_pause_that_the_text_asks_for_stands_before_the_next_piece() -> None:
    expected = [("One is here.", None), ("Two is here.", 1.5), ("Three.", 0.5)]
    text = "One is here. [pause 1.5] Two is here.\n\n[pause 500ms]\n\nThree. [pause 1]"
    for arriving in (text, iter(text), [f"{word} " for word in text.split(" ")]):
        found = [(p.text, p.pause_seconds) for p in arriving_pieces(arriving, timed)]
        assert found == expected


def test_a_wrong_mark_is_no_text_to_be_left_out() -> None:
    with pytest.raises(TextError, match="no pause"):
        list(arriving_pieces("One. [pause long] Two.", timed))
