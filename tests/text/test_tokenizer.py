"""The symbol table of nano, and text to ids and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mamtra.errors import TextError
from mamtra.text.tokenizer import LETTERS, MARKS, PHONES, NanoTokenizer

tokenizer = NanoTokenizer()


def test_table_is_fixed() -> None:
    assert tokenizer.size == 76
    assert tokenizer.symbols[0] == "<pad>"
    assert tokenizer.symbols[1] == " "
    assert tokenizer.symbols[10] == "a"
    assert tokenizer.symbols[36] == "{aa}"
    assert tokenizer.symbols[75] == "{zh}"
    assert len(set(tokenizer.symbols)) == tokenizer.size


def test_letters_are_read_in_lower_case() -> None:
    assert tokenizer.encode("AbC") == tokenizer.encode("abc") == [10, 11, 12]


def test_a_phone_is_not_the_letter_of_the_same_name() -> None:
    assert tokenizer.encode("{b}") != tokenizer.encode("b")


def test_a_word_may_be_given_in_phones() -> None:
    ids = tokenizer.encode("{hh ax l ow} world.")
    assert [tokenizer.symbols[i] for i in ids[:5]] == ["{hh}", "{ax}", "{l}", "{ow}", " "]
    assert tokenizer.decode(ids) == "{hh ax l ow} world."


def test_unknown_phone_is_named_with_the_known_ones() -> None:
    with pytest.raises(TextError, match=r"unknown phone 'qq' in braces; known phones: aa ae .* zh"):
        tokenizer.encode("{hh qq}")


@pytest.mark.parametrize("text", ["5 cats", "naïve", "a\nb", "“hi”"])
def test_character_outside_the_table_asks_to_normalise(text: str) -> None:
    with pytest.raises(TextError, match="write it as a word, or leave --no-normalize out"):
        tokenizer.encode(text)


@pytest.mark.parametrize("text", ["a {b", "a} b", "{}", "{ }", "{a {b} c}"])
def test_broken_braces_are_an_error(text: str) -> None:
    with pytest.raises(TextError):
        tokenizer.encode(text)


def test_lower_case_of_two_characters_is_an_error_not_a_crash() -> None:
    with pytest.raises(TextError):
        tokenizer.encode("İstanbul")


def test_decode_leaves_padding_out_and_refuses_unknown_ids() -> None:
    assert tokenizer.decode([10, 0, 11, 0, 0]) == "ab"
    with pytest.raises(TextError, match="ids go from 0 to 75"):
        tokenizer.decode([76])


@given(st.lists(st.integers(1, tokenizer.size - 1)))
def test_decoded_ids_encode_to_themselves(ids: list[int]) -> None:
    assert tokenizer.encode(tokenizer.decode(ids)) == ids


@given(st.text(alphabet="".join([*MARKS, *LETTERS])))
def test_plain_text_comes_back_as_it_was(text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_every_phone_of_the_table_encodes() -> None:
    assert len(tokenizer.encode("{" + " ".join(PHONES) + "}")) == len(PHONES)
