"""Both forms of text: what is said for figures, where long text is cut, and the ids of a piece."""

import json
from pathlib import Path

import pytest
from cosyvoice2_shapes import TOY
from write_cosyvoice2_folder import byte_letters

from mamtra.errors import ConfigError, ModelError, TextError
from mamtra.synthesis.text_reader import Reader, TextConfig, reader_for

SAID = [
    ("It costs $3.50.", "three dollars and fifty cents"),
    ("Dr. Smith waited.", "doctor smith waited"),
    ("It weighs 2.5 kg.", "two point five kilograms"),
    ("On 3 May 2024 we met.", "third of may, twenty twenty four"),
    ("Due 2024-05-03, at noon.", "may third, twenty twenty four"),
    ("See https://example.com/a.", "example dot com slash"),
    ("We counted 1,234 things.", "one thousand two hundred and thirty four"),
    ("Call 555-1234 now.", "five five five, one two three four"),
]


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Reader]:
    """A reader of each form; the vocabulary of byte pairs is that of bytes."""
    pytest.importorskip("wetext")
    pytest.importorskip("tokenizers")
    folder = tmp_path_factory.mktemp("vocabulary")
    letters = {letter: index for index, letter in enumerate(byte_letters())}
    (folder / "vocab.json").write_text(json.dumps(letters), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return {form: reader_for(TextConfig(tokenizer=form), folder) for form in ("letters", "qwen")}


@pytest.mark.parametrize("form", ["letters", "qwen"])
@pytest.mark.parametrize(("written", "said"), SAID)
def test_figures_become_words_in_both_forms(
    readers: dict[str, Reader], form: str, written: str, said: str
) -> None:
    spoken = " ".join(readers[form].pieces(written))
    assert said in spoken.lower()
    assert not any(map(str.isdigit, spoken))


@pytest.mark.parametrize("form", ["letters", "qwen"])
def test_cuts_spare_decimals_and_abbreviations_in_both_forms(
    readers: dict[str, Reader], form: str
) -> None:
    sentence = "We walked along the river with Dr. Smith, e.g. on Monday, and paid $3.50 for v2.0. "
    pieces = readers[form].pieces(6 * sentence, spoken=False)
    assert len(pieces) > 2
    words = {word for piece in pieces for word in piece.split()}
    assert {"Dr.", "e.g.", "$3.50", "v2.0."} <= words
    assert not any(piece.endswith(("Dr.", "e.g.")) for piece in pieces)


def test_brackets_quotes_and_added_tokens_survive_in_byte_pairs(readers: dict[str, Reader]) -> None:
    text = 'He said "no" [laughter] then <strong>left</strong> (at last).'
    assert readers["qwen"].pieces(text) == [text]
    ids = readers["qwen"].encode(text)
    assert TOY.text > max(ids)
    assert readers["qwen"].tokenizer.encode("[laughter]")[0] in ids


def test_text_can_stay_as_it_is(readers: dict[str, Reader]) -> None:
    assert readers["qwen"].pieces("I paid $5", spoken=False) == ["I paid $5."]
    assert readers["qwen"].whole("I paid $5", spoken=False) == "I paid $5"
    assert readers["letters"].pieces("we  walked", spoken=False) == ["we walked"]


def test_letters_are_read_as_a_finished_sentence_and_byte_pairs_as_they_are(
    readers: dict[str, Reader],
) -> None:
    letters, pairs = readers["letters"], readers["qwen"]
    assert letters.encode("we walked") == letters.tokenizer.encode("we walked.")
    assert pairs.encode("走了。") == pairs.tokenizer.encode("走了。")


def test_only_byte_pairs_have_a_mark_for_the_end_of_a_prompt(readers: dict[str, Reader]) -> None:
    assert readers["letters"].end_of_prompt is None
    assert readers["qwen"].end_of_prompt == 256 + 3


@pytest.mark.parametrize("form", ["letters", "qwen"])
@pytest.mark.parametrize("spoken", [True, False])
@pytest.mark.parametrize("text", ["", " \n", "..."])
def test_text_with_nothing_to_speak_is_an_error_in_both_forms(
    readers: dict[str, Reader], form: str, spoken: bool, text: str
) -> None:
    with pytest.raises(TextError):
        readers[form].pieces(text, spoken)


def test_a_config_that_cannot_work_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="known: letters, qwen"):
        TextConfig(tokenizer="words")
    with pytest.raises(ConfigError, match="piece_tokens=0"):
        TextConfig(piece_tokens=0)
    with pytest.raises(ModelError, match=r"fetch .*vocab\.json"):
        reader_for(TextConfig(tokenizer="qwen"), tmp_path)
