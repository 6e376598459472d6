"""Many texts at once, through a tiny model: each says what it says alone, errors stay where they
belong."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mamtra
from mamtra.errors import ConfigError, GenerationError, TextError, VoiceError
from mamtra.synthesis.options import SpeakOptions
from mamtra.synthesis.speaker import Speaker
from mamtra.synthesis.speech import Speech
from mamtra.synthesis.synthesizer import Synthesizer

LONG = "This is a sentence that fills a piece, so there will be more of them. " * 3


@pytest.fixture(scope="module")
def synthesizer(tiny_model_folder: Path) -> Synthesizer:
    return mamtra.load(tiny_model_folder)


def test_each_text_says_what_it_says_alone(synthesizer: Synthesizer) -> None:
    texts = ["Hello.", LONG, "A paragraph.\n\nAnother one.", "We walked along.", "Hello."]
    voices, seeds = ["low", "high", None, "high", "low"], [0, 1, 2, 3, 4]
    options = [SpeakOptions(voice=v, seed=s) for v, s in zip(voices, seeds, strict=True)]
    together = dict(synthesizer.say_batch(zip(texts, options, strict=True), rows=2))
    assert sorted(together) == [0, 1, 2, 3, 4]
    for number, (text, voice, seed) in enumerate(zip(texts, voices, seeds, strict=True)):
        alone, speech = synthesizer.say(text, voice, seed), together[number]
        assert isinstance(speech, Speech)
        assert speech.speech_tokens == alone.speech_tokens
        assert (speech.text, speech.stop_reason) == (alone.text, alone.stop_reason)
        np.testing.assert_array_equal(speech.samples, alone.samples)


def test_an_error_is_told_in_its_turn_and_the_others_go_on(
    synthesizer: Synthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = Speaker.sound

    def sometimes(speaker: Speaker, piece: str, *more: Any) -> Speech:
        if piece.startswith("Say nothing"):
            raise GenerationError("it said nothing")
        return sound(speaker, piece, *more)

    monkeypatch.setattr(Speaker, "sound", sometimes)
    texts = [
        "...",
        "Hello.",
        ("Hello.", SpeakOptions(voice="nobody")),
        f"Say nothing of it, please, whatever they may ask of you. {LONG}",
        "{hh ax q}",
        ("Hello.", SpeakOptions(state="carry")),
        "The end.",
    ]
    results = dict(synthesizer.say_batch(texts, rows=2))
    kinds = {number: type(result) for number, result in results.items()}
    assert kinds == {
        0: TextError, 1: Speech, 2: VoiceError, 3: GenerationError, 4: TextError,
        5: ConfigError, 6: Speech
    }  # fmt: skip


def test_texts_are_taken_as_they_are_needed(synthesizer: Synthesizer) -> None:
    taken: list[int] = []

    def source() -> Iterator[str]:
        for number in range(8):
            taken.append(number)
            yield "Hello."

    results = synthesizer.say_batch(source(), rows=2)
    assert not taken
    next(results)
    assert len(taken) <= 3
    assert len(list(results)) == 7


def test_one_voice_and_seed_serve_all_texts(synthesizer: Synthesizer) -> None:
    options = SpeakOptions(voice="high", seed=5)
    first, second = (result for _, result in synthesizer.say_batch(["Hi."] * 2, options))
    assert isinstance(first, Speech)
    assert isinstance(second, Speech)
    np.testing.assert_array_equal(first.samples, second.samples)
    np.testing.assert_array_equal(first.samples, synthesizer.say("Hi.", "high", 5).samples)
    assert list(synthesizer.say_batch([])) == []


def test_a_batch_without_rows_is_refused(synthesizer: Synthesizer) -> None:
    with pytest.raises(ConfigError, match="rows=0"):
        synthesizer.say_batch(["Hi."], rows=0)
