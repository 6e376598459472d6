"""What is told about a text before it is spoken."""

import pytest

from mamtra.text.normalize import normalize
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


def test_tags_that_the_model_does_not_know_are_left_out_and_quoted_once() -> None:
    written = "Say <foo bar='1'>this</foo> <laugh> now [Sigh], <laugh> then."
    assert normalize(written) == "Say this now, then."
    assert notes(written) == [
        "left out, this model knows no such tag: \"<foo bar='1'> </foo> <laugh> [\""
    ]


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("a < b and c > d", "ay is less than bee and see is greater than dee"),
        ("He [the king] said [sic] no.", "He, the king, said, sic, no."),
        ("Press <Ctrl+C> now", "Press control plus see now"),
    ],
)
def test_what_is_no_tag_is_read(written: str, spoken: str) -> None:
    assert normalize(written) == spoken
    assert not notes(written)


def test_words_between_angles_are_read_and_told() -> None:
    assert normalize("Dear <your name> hello") == "Dear your name hello"
    assert notes("Dear <your name> hello") == ["read as words, no known markup: '<your name>'"]
