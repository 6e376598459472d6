"""A text in several voices, through a tiny model with two of them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import mamtra
from mamtra.errors import TextError, VoiceError
from mamtra.synthesis.options import SpeakOptions
from mamtra.synthesis.speech import Speech, join
from mamtra.synthesis.synthesizer import Synthesizer
from mamtra.text.pauses import Passage

LINES = ("Where have you been?", "In town.", "It rained.")
TEXT = f"[voice:high] {LINES[0]}\n[voice:low] {LINES[1]}\n\n{LINES[2]}"


@pytest.fixture(scope="module")
def synthesizer(tiny_model_folder: Path) -> Synthesizer:
    return mamtra.load(tiny_model_folder)


def in_one_voice(synthesizer: Synthesizer, voice: str) -> list[Speech]:
    paragraphs = [[Passage(LINES[0]), Passage(LINES[1])], [Passage(LINES[2])]]
    return list(synthesizer.speak(paragraphs, SpeakOptions(voice=voice, seed=3)))


@pytest.fixture(scope="module")
def expected(synthesizer: Synthesizer) -> Speech:
    high, low = (in_one_voice(synthesizer, voice) for voice in ("high", "low"))
    return join([high[0], low[1], low[2]])


def test_marks_change_the_speaker_and_nothing_else(
    synthesizer: Synthesizer, expected: Speech
) -> None:
    said = synthesizer.say(TEXT, seed=3)
    assert said.text == " ".join(LINES)
    assert said.speech_tokens == expected.speech_tokens
    np.testing.assert_array_equal(said.samples, expected.samples)


def test_a_batch_and_a_stream_say_the_same(synthesizer: Synthesizer, expected: Speech) -> None:
    ((_, batched),) = synthesizer.say_batch([TEXT], SpeakOptions(seed=3))
    assert isinstance(batched, Speech)
    np.testing.assert_array_equal(batched.samples, expected.samples)

    def letters() -> Iterator[str]:
        yield from TEXT

    whole, arriving = (
        [piece.spoken for piece in synthesizer.stream(text, seed=3) if piece.spoken is not None]
        for text in (TEXT, letters())
    )
    assert [spoken.text for spoken in whole] == list(LINES)
    assert [spoken.text for spoken in arriving] == list(LINES)
    tokens = [token for spoken in arriving for token in spoken.speech_tokens]
    assert tokens == expected.speech_tokens


def test_an_unknown_voice_is_told_before_anything_is_said(synthesizer: Synthesizer) -> None:
    with pytest.raises(VoiceError, match=r"unknown voice 'anna'; model '\w+' has: high, low"):
        synthesizer.say("[voice:high] Hello.\n[voice:anna] Hello.")


@pytest.mark.parametrize(
    "text",
    [
        "[voice:low] ***\n\nIn town.",
        "[voice:low] ... In town.",
        "[voice:low] [pause 1]\n\nIn town.",
        "[voice:high]\n[voice:low] In town.",
    ],
)
def test_a_voice_stays_where_its_own_words_cannot_be_spoken(
    synthesizer: Synthesizer, text: str
) -> None:
    voices = [piece.voice for (piece,) in synthesizer.speaker().paragraphs(text)]
    assert voices == ["low"]
    options = SpeakOptions(voice="low", seed=3)
    expected = synthesizer.say("In town.", voice=options.voice, seed=options.seed).speech_tokens
    for given in (text, iter(text)):
        pieces = synthesizer.stream(given, voice="high", seed=3)
        (spoken,) = [piece.spoken for piece in pieces if piece.spoken is not None]
        assert spoken.speech_tokens == expected


def test_a_pause_after_a_mark_is_kept(synthesizer: Synthesizer) -> None:
    text = "[voice:high] In town.\n[voice:low] [pause 2] It rained."
    (pieces,) = synthesizer.speaker().paragraphs(text)
    assert pieces == [
        Passage("In town.", 2.0, "high"),
        Passage("It rained.", None, "low"),
    ]


def test_a_mark_alone_is_no_text(synthesizer: Synthesizer) -> None:
    with pytest.raises(TextError, match="give at least one word"):
        synthesizer.say("[voice:low]")
