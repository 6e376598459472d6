"""CosyVoice 2's pieces: how long they are, what is never cut, what passes untouched."""

import sys
from types import ModuleType, SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mamtra.errors import ConfigError, MissingExtraError, TextError
from mamtra.text.frontend import PieceBudget, frontend_pieces, frontend_text, language_of, loaded

SMALL = PieceBudget(longest=8, shortest=5, rest=3)


def words(text: str) -> int:
    return len(text.split())


def plain(text: str, budget: PieceBudget = SMALL) -> list[str]:
    return frontend_pieces(text, words, normaliser="none", budget=budget)


def test_sentences_are_gathered_until_a_piece_has_enough_tokens() -> None:
    assert plain("One two three. Four five six. Seven eight nine ten. Eleven twelve done now.") == [
        "One two three. Four five six.",
        "Seven eight nine ten. Eleven twelve done now.",
    ]


def test_a_piece_below_the_shortest_takes_in_the_next_sentence() -> None:
    assert plain("One two three four. Five six seven eight nine. So we all went home again.") == [
        "One two three four. Five six seven eight nine.",
        "So we all went home again.",
    ]


def test_a_short_rest_joins_the_last_piece() -> None:
    assert plain("One two three four five six seven. Good bye.") == [
        "One two three four five six seven. Good bye."
    ]


def test_figures_and_abbreviations_are_not_cut() -> None:
    text = "Dr. Smith paid $3.50 for v2.0 today. It weighs about 2.5 kg, e.g. with Mr. Jones."
    assert plain(text) == [
        "Dr. Smith paid $3.50 for v2.0 today.",
        "It weighs about 2.5 kg, e.g. with Mr. Jones.",
    ]


def test_a_sentence_far_too_long_is_cut_at_commas() -> None:
    text = "one two three four five six, seven eight nine ten eleven, twelve thirteen"
    assert plain(text) == [
        "one two three four five six,",
        "seven eight nine ten eleven, twelve thirteen.",
    ]


def test_text_with_control_marks_passes_untouched() -> None:
    text = "  Say it sadly<|endofprompt|>  5 kg. And so on; and on. "
    assert frontend_pieces(text, words) == [text]


def test_markup_goes_but_for_the_tags_that_the_model_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = "We <strong>really</strong> <laughter>laughed</laughter> [breath]."
    fake = ModuleType("wetext")
    fake.Normalizer = lambda lang: SimpleNamespace(normalize=str)  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "wetext", fake)
    loaded.cache_clear()
    written = f"<p>{kept}</p> Fish &amp; chips<br/><laugh> [giggle]."
    assert frontend_pieces(written, words) == [f"{kept} Fish & chips."]
    loaded.cache_clear()


def test_a_final_mark_is_added_and_kept() -> None:
    assert plain("Hello there") == ["Hello there."]
    assert plain("Hello there?") == ["Hello there?"]
    assert plain('He said "no."') == ['He said "no."']


def test_pieces_of_marks_only_are_dropped() -> None:
    assert plain("Hello. ... ! Bye") == ["Hello. Bye."]


@pytest.mark.parametrize("text", ["", " \n", "...", "?!"])
def test_text_with_nothing_to_speak_is_an_error(text: str) -> None:
    with pytest.raises(TextError, match="nothing to speak"):
        plain(text)


def test_chinese_is_measured_in_characters_and_keeps_its_decimals() -> None:
    text = "今天天气很好。我买了3.5公斤苹果！你说“好吗？”我说好"
    assert plain(text, PieceBudget(longest=12, shortest=6, rest=3)) == [
        "今天天气很好。",
        "我买了3.5公斤苹果！",
        "你说“好吗？”我说好。",
    ]


def test_long_chinese_is_cut_at_commas_and_loses_nothing() -> None:
    text = "很长" * 9 + "，" + "还有" * 9 + "。"
    pieces = plain(text, PieceBudget(longest=10, shortest=4, rest=2))
    assert "".join(pieces) == text
    assert max(map(len, pieces)) <= 14


@pytest.mark.parametrize(
    ("text", "language"), [("hi 5", "en"), ("你好", "zh"), ("こんにちは", "ja")]
)
def test_language_is_guessed_from_the_characters(text: str, language: str) -> None:
    assert language_of(text) == language


def test_our_own_normaliser_reads_english_only() -> None:
    assert frontend_pieces("It is 5 km.", words, normaliser="own") == ["It is five kilometers."]
    with pytest.raises(TextError, match="English only"):
        frontend_pieces("你好", words, normaliser="own")


def test_other_languages_keep_their_letters_and_get_their_own_numbers() -> None:
    assert frontend_pieces("Für 10 Äpfel.", words, language="de") == ["Für zehn Äpfel."]
    assert frontend_pieces("Il y a 2,5 kg.", words, language="fr") == [
        "Il y a deux virgule cinq kg."
    ]
    with pytest.raises(TextError, match="language 'xx'"):
        frontend_pieces("10", words, language="xx")


def test_wetext_is_called_with_the_language(monkeypatch: pytest.MonkeyPatch) -> None:
    class Normalizer:
        def __init__(self, lang: str) -> None:
            self.lang = lang

        def normalize(self, text: str) -> str:
            return f"{self.lang} {text}"

    fake = ModuleType("wetext")
    fake.Normalizer = Normalizer  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "wetext", fake)
    assert frontend_pieces("five.", words) == ["en five."]


def test_missing_wetext_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wetext", None)
    with pytest.raises(MissingExtraError, match=r"\[cosyvoice\]"):
        frontend_pieces("five", words)


def test_wetext_speaks_english_figures() -> None:
    pytest.importorskip("wetext")
    assert frontend_pieces("It weighs 2.5 kg.", words) == ["It weighs two point five kilograms."]


def test_unknown_choices_are_errors() -> None:
    with pytest.raises(ConfigError, match="use 'wetext', 'own' or 'none'"):
        frontend_pieces("five", words, normaliser="magic")
    with pytest.raises(ConfigError, match="shortest=90"):
        PieceBudget(shortest=90)


TOKENS = st.sampled_from(["a", "word", "end.", "Dr.", "$3.50", "more;", "what?", "x,", "5"])


@settings(max_examples=150, deadline=None)
@given(st.lists(TOKENS, min_size=1, max_size=60))
def test_no_word_is_lost_and_pieces_stay_near_the_budget(tokens: list[str]) -> None:
    found = plain(" ".join(tokens))
    assert " ".join(found).rstrip(".").split() == " ".join(tokens).rstrip(".").split()
    assert max(map(words, found)) <= SMALL.longest + SMALL.shortest + SMALL.rest


@pytest.mark.parametrize("normaliser", ["own", "wetext"])
def test_an_abbreviation_may_end_a_sentence(normaliser: str) -> None:
    if normaliser == "wetext":
        pytest.importorskip("wetext")
    text = "She lives on Elm St. It is far. He works at Acme Inc. The boss left.\n\nNo mark\n\nEnd"
    assert frontend_text(text, normaliser, "en").rstrip(".") == (
        "She lives on Elm Street. It is far. He works at Acme incorporated. The boss left. "
        "No mark. End"
    )
