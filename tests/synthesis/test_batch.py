"""Many texts at once, through a tiny model: each says what it says alone, errors stay where they
belong."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mamtra
from mamtra.errors import ConfigError, GenerationError, TextError, VoiceError
from mamtra.synthesis import batch as many_texts
from mamtra.synthesis.batch import Utterance
from mamtra.synthesis.parts import SpeakingParts
from mamtra.synthesis.speech import Speech
from mamtra.synthesis.synthesizer import Synthesizer

LONG = "This is a sentence that fills a piece, so there will be more of them. " * 3


@pytest.fixture(scope="module")
def synthesizer(tiny_model_folder: Path) -> Synthesizer:
    return mamtra.load(tiny_model_folder)


def test_each_text_says_what_it_says_alone(synthesizer: Synthesizer) -> None:
    texts = ["Hello.", LONG, "A paragraph.\n\nAnother one.", "We walked along.", "Hello."]
    voices, seeds = ["low", "high", None, "high", "low"], [0, 1, 2, 3, 4]
    together = dict(synthesizer.say_batch(texts, voices, seeds, rows=2))
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
    sound = many_texts.sound

    def sometimes(parts: SpeakingParts, piece: str, *more: Any) -> Speech:
        if piece.startswith("Say nothing"):
            raise GenerationError("it said nothing")
        return sound(parts, piece, *more)

    monkeypatch.setattr(many_texts, "sound", sometimes)
    wanted = [
        Utterance(text="..."),
        Utterance(text="Hello."),
        Utterance(text="Hello.", voice="nobody"),
        Utterance(text=f"Say nothing of it, please, whatever they may ask of you. {LONG}"),
        Utterance(text="{hh ax q}"),
        Utterance(text="The end."),
    ]
    results = dict(synthesizer.say_batch(wanted, rows=2))
    kinds = {number: type(result) for number, result in results.items()}
    assert kinds == {
        0: TextError, 1: Speech, 2: VoiceError, 3: GenerationError, 4: TextError, 5: Speech
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


def test_one_voice_and_seed_may_serve_all_but_too_few_are_refused(
    synthesizer: Synthesizer,
) -> None:
    first, second = (result for _, result in synthesizer.say_batch(["Hi."] * 2, "high", 5))
    np.testing.assert_array_equal(first.samples, second.samples)
    with pytest.raises(ConfigError, match="text 1 has no voice or no seed"):
        list(synthesizer.say_batch(["Hi.", "Hi."], seeds=[1]))
    with pytest.raises(ConfigError, match="rows=0"):
        synthesizer.say_batch(["Hi."], rows=0)
    assert list(synthesizer.say_batch([])) == []
