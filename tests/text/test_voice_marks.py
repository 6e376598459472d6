"""Marks that change who speaks."""

from mamtra.text.dialogue import Turn, turns, voices_in, with_marks_before_words


def test_a_mark_at_the_start_of_a_line_begins_a_turn() -> None:
    text = "Once.\n[voice:anna] Where?\nIn town?\n  [Voice: tom] There."
    assert turns(text) == [
        Turn(None, "Once.\n"),
        Turn("anna", " Where?\nIn town?\n"),
        Turn("tom", " There."),
    ]
    assert voices_in(text) == ["anna", "tom"]


def test_a_mark_within_a_line_is_text() -> None:
    text = "He wrote [voice:anna] there."
    assert turns(text) == [Turn(None, text)]


def test_a_mark_without_words_goes_to_the_words_that_follow() -> None:
    assert with_marks_before_words("[voice:anna]\n\n Hello.") == "[voice:anna] Hello."
    assert with_marks_before_words("[voice:anna]\n\n[voice:tom] Hi.") == "[voice:tom] Hi."
    assert turns("[voice:anna] \n[voice:tom] Hello.") == [Turn("tom", " Hello.")]
