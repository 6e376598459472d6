"""What is told about a text before it is spoken."""

import pytest

from mamtra.text.notes import notes


@pytest.mark.parametrize(
    "text",
    [
        "Hello there, naïve Zoë: it’s 5 °C – “fine” … ½ €5 10⁶ x₂ Ｆｕｌｌ α → ★",
        'One. <break time="500ms"/> Two. [pause 1] Three.',
        "<b>Bold</b> &amp; a < b > c, [link](http://a.com)",
    ],
)
def test_what_is_spoken_gets_no_note(text: str) -> None:
    assert not notes(text)


def test_letters_of_other_scripts_are_quoted() -> None:
    assert notes("Hello 你好 мир") == ["left out, this model reads Latin letters only: '你好 мир'"]
    assert len(notes("你" * 10_000)[0]) < 100


def test_signs_without_words_are_quoted_once() -> None:
    assert notes("I 😀 love 😀 it 🎉 ≤ 5") == ["left out, there are no words for: '😀🎉'"]


def test_tags_that_are_no_known_markup_are_quoted() -> None:
    assert notes("Say <foo bar='1'>this</foo>") == [
        "read as words, no known markup: \"<foo bar='1'>\""
    ]
