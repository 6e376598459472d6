"""Long text into parts: good places, the budget, and no word lost or doubled."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mamtra.errors import TextError
from mamtra.text.split import WORD, in_two, pieces, split_sentences


@pytest.mark.parametrize(
    "sentence",
    [
        "It costs $3.50 today.",
        "Dr. Smith met Mr. Jones vs. Mrs. Hill.",
        "A bag of 2.5 kg is heavy.",
        "Use v2.0 now.",
        "See No. 5 of e.g. this list.",
        "Write to john.doe@example.com now.",
        "Say {hh ax l ow} to Prof. Lee.",
        "He said St. Louis is fine.",
        "Use min. 2 and max. 5 drops.",
        "The govt. policy changed.",
        "We met on Tues. Sept. 5 there.",
        "It leaves at 5 p.m. EST on Monday.",
        "Add 2 tbsp. sugar, ½ tsp. salt and a 12-oz. can of milk.",
        "It is 5 ft. 11 in. tall and weighs 3 lbs. 4 oz. or so.",
        "A house of 900 sq. ft. with 3 lg. rooms is here.",
        "He lives in Apt. 12C off Rte. 9 near Ft. Worth.",
        "See Vol. II, Ch. 3 and Rm. B2 of it.",
        "A Cat. 4 storm and approx. 30 min. of rain came.",
        "Flight 5 dep. 14:35 and came to Boston, Mass. at night.",
        "We close Mon. 9/4, Tues. 2pm, Fri. the 13th and Mon. - Fri. otherwise.",
    ],
)
def test_figures_and_abbreviations_are_not_split(sentence: str) -> None:
    assert split_sentences(f"{sentence} {sentence}") == [sentence, sentence]


@pytest.mark.parametrize("end", ["We met on Mon.", "Come by 5 p.m.", "He works for Acme Inc."])
def test_an_abbreviation_may_end_a_sentence(end: str) -> None:
    assert split_sentences(f"{end} Then we left.") == [end, "Then we left."]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("It was too warm in the Sun.", "5 people fainted."),
        ("We closed on Sat.", "12 people came anyway."),
        ("Our boy is called Max.", "3 years later he left."),
        ("They came at 9 p.m.", "CT scans were done."),
        ("It weighs 5 kg.", "3 people carried it."),
        ("He has an apt.", "5 people live there."),
        ("It was 12 ft.", "The other one was longer."),
    ],
)
def test_a_sentence_may_begin_with_what_could_go_on(first: str, second: str) -> None:
    assert split_sentences(f"{first} {second}") == [first, second]


def test_sentences_end_at_marks_and_paragraphs() -> None:
    text = 'One here. Two there! "Is it?" he said.\n\nA new paragraph'
    assert split_sentences(text) == [
        "One here.",
        "Two there!",
        '"Is it?" he said.',
        "A new paragraph",
    ]


def test_a_text_within_the_budget_stays_whole_sentences() -> None:
    first = "The weather was fine, so we walked along the river."
    second = "In the evening we came home and slept."
    assert pieces(f"{first} {second}", 60) == [first, second]


def test_very_short_neighbours_are_joined() -> None:
    assert pieces("Yes. No. Maybe. I will think about all of it tomorrow.", 40) == [
        "Yes. No. Maybe.",
        "I will think about all of it tomorrow.",
    ]


def test_a_long_sentence_is_cut_at_the_best_place() -> None:
    text = "we came, we saw and we went home; the rest of the story is long and without a mark"
    assert pieces(text, 35) == [
        "we came, we saw and we went home;",
        "the rest of the story is long and",
        "without a mark",
    ]


def test_a_word_longer_than_the_budget_is_cut() -> None:
    assert pieces("an incomprehensibility here", 12) == ["an incompreh", "ensibility", "here"]
    assert max(map(len, pieces("x" * 100_000, 100))) <= 100


def test_a_word_in_phones_is_cut_between_phones_only() -> None:
    assert pieces("say {hh ax l ow} now", 12) == ["say", "{hh ax l ow}", "now"]
    assert pieces("{hh ax l ow}{ax}", 9) == ["{hh ax}", "{l ow}", "{ax}"]


def test_empty_text_has_no_pieces() -> None:
    assert pieces(" \n ", 50) == []


def test_a_budget_of_nothing_is_an_error() -> None:
    with pytest.raises(TextError, match="give at least 1"):
        pieces("text", 0)


WORDS = st.sampled_from(
    ["a", "I", "word,", "end.", "Dr.", "$3.50", "v2.0", "more;", "so:", "what?", "No.", "5", "e.g."]
)
BLANKS = st.sampled_from([" ", "  ", "\n", "\n\n", "\t"])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(WORDS, BLANKS, st.text(max_size=8)), max_size=40), st.integers(1, 60))
def test_no_word_is_lost_or_doubled_and_the_budget_holds(parts: list[str], budget: int) -> None:
    text = " ".join(parts)
    found = pieces(text, budget)
    if max(map(len, text.split()), default=0) <= budget and "{" not in text:
        assert " ".join(found).split() == text.split()
    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(len(piece) <= budget or "{" in piece for piece in found)


def test_halves_meet_where_a_reader_pauses() -> None:
    assert in_two("The cat sat on the mat. It was a long day and she slept.") == [
        "The cat sat on the mat.",
        "It was a long day and she slept.",
    ]
    assert in_two("When is it, my friend, and why do you think that she left?") == [
        "When is it, my friend,",
        "and why do you think that she left?",
    ]
    assert in_two("say {hh ax l ow} now dear {w er l d} please") == [
        "say {hh ax l ow} now",
        "dear {w er l d} please",
    ]


@given(st.lists(st.sampled_from(["a", "be,", "sea.", "{hh ax}", "and"]), max_size=12))
def test_halves_are_the_whole_and_never_short(words: list[str]) -> None:
    halves = in_two(" ".join(words))
    assert bool(halves) == (len(words) >= 6)
    if halves:
        assert " ".join(halves) == " ".join(words)
        assert all(len([*WORD.finditer(half)]) >= 3 for half in halves)
