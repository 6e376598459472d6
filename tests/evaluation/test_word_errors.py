"""Word errors, counted once."""

import pytest

from mamtra.evaluation.word_errors import WordErrors, character_errors, plain_words, word_errors

pytest.importorskip("jiwer")


@pytest.mark.parametrize(
    ("reference", "heard", "errors"),
    [
        ("a b c", "a b c", (3, 0, 0, 0)),
        ("a b c", "a x c d", (3, 1, 0, 1)),
        ("a b c", "", (3, 0, 3, 0)),
        ("a b", "b", (2, 0, 1, 0)),
        ("", "b c", (0, 0, 0, 2)),
    ],
)
def test_words_are_replaced_left_out_or_added(reference: str, heard: str, errors: tuple) -> None:
    assert word_errors(reference, heard) == WordErrors(*errors)


def test_the_rate_may_be_above_one() -> None:
    assert word_errors("a", "b c d").rate == 3


def test_text_without_a_word_has_no_words() -> None:
    assert plain_words("...") == ""


def test_characters_are_counted_without_blanks() -> None:
    assert character_errors("the cat", "the bat") == WordErrors(6, substitutions=1)
    assert character_errors("well known", "wellknown") == WordErrors(9)
    assert character_errors("你 好", "你") == WordErrors(2, deletions=1)
