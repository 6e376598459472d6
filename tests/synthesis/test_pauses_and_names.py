"""Pauses that a text asks for, names that a lexicon says how to say, and what is noted."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest
import soundfile
from exit_code import ended

import mamtra
from mamtra.errors import TextError
from mamtra.synthesis.options import SpeakOptions
from mamtra.synthesis.speech import Speech
from mamtra.synthesis.synthesizer import Synthesizer
from mamtra.text.lexicon import lexicon_of


@pytest.fixture(scope="module")
def synthesizer(tiny_model_folder: Path) -> Synthesizer:
    return mamtra.load(tiny_model_folder)


def longest_silence_seconds(samples: np.ndarray, rate: int) -> float:
    loud = np.flatnonzero(np.abs(samples) > 0)
    return float(np.diff(loud).max() / rate)


WITH_PAUSE = 'One is here. <break time="1500ms"/> Two is here.'


def test_a_pause_is_heard_however_the_text_is_spoken(synthesizer: Synthesizer) -> None:
    said = synthesizer.say(WITH_PAUSE)
    ((_, batched),) = synthesizer.say_batch([WITH_PAUSE])
    flowing = np.concatenate([piece.samples for piece in synthesizer.stream(WITH_PAUSE)])
    assert said.text == "One is here. Two is here."
    assert not isinstance(batched, mamtra.MamtraError)
    for samples in (said.samples, batched.samples, flowing):
        assert longest_silence_seconds(samples, synthesizer.rate) == pytest.approx(1.5, abs=0.2)


def test_a_pause_of_nothing_joins_pieces_at_once(synthesizer: Synthesizer) -> None:
    none, usual = (synthesizer.say(f"One. {mark} Two.") for mark in ("[pause 0]", "[pause 0.35]"))
    assert usual.seconds - none.seconds == pytest.approx(0.35, abs=0.01)


def test_a_text_of_pauses_alone_is_an_error(synthesizer: Synthesizer) -> None:
    with pytest.raises(TextError, match="nothing to speak"):
        synthesizer.say("[pause 1] [pause 2]")


def test_a_lexicon_is_read_before_anything_else(synthesizer: Synthesizer) -> None:
    assert synthesizer.say("Hi.", lexicon=lexicon_of({"Hi": "ho"})).text == "ho."
    options = SpeakOptions(lexicon=lexicon_of({"Nguyen": "{w ih n}", "5x": "five times"}))
    (paragraph,) = synthesizer.speaker(options).paragraphs("Nguyen's 5x 5.")
    assert [piece.text for piece in paragraph] == ["{w ih n z} five times five."]


def test_the_command_reads_a_lexicon(
    tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names, sound = tmp_path / "names.txt", tmp_path / "a.wav"
    names.write_text("Nguyen\tW IH1 N\n", encoding="utf-8")
    words = ["say", "Hi, Nguyen.", "-o", str(sound), "--lexicon", str(names), "--json", *tiny]
    assert ended(words) == 0
    assert json.loads(capsys.readouterr().out)["text"] == "Hi, {w ih n}."
    assert soundfile.info(sound).frames
    names.write_text("Nguyen W IH1 N\n", encoding="utf-8")
    assert ended(words) == TextError.exit_code
    assert "line 1 of" in capsys.readouterr().err


def test_what_is_left_out_is_noted(
    synthesizer: Synthesizer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "mamtra"):
        said = synthesizer.say("Hello 你好, there.\n\n你好 again. 😀")
        list(synthesizer.stream(iter(["Hello 你好. ", "Oh 好! "])))
    letters = "left out, this model reads Latin letters only: "
    signs = "left out, there are no words for: '😀'"
    assert said.notes == (f"{letters}'你好 你好'", signs)
    once = [f"note: {letters}'你好 你好'", f"note: {signs}", f"note: {letters}'你好'"]
    assert caplog.messages == once


def test_a_pause_is_no_unknown_markup(
    synthesizer: Synthesizer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "mamtra"):
        said = synthesizer.say(WITH_PAUSE)
        ((_, batched),) = synthesizer.say_batch([WITH_PAUSE])
        list(synthesizer.stream(iter([WITH_PAUSE, " <break/> Three."])))
    assert isinstance(batched, Speech)
    assert said.notes == batched.notes == ()
    assert not caplog.messages
    assert synthesizer.say(f"{WITH_PAUSE} <foo>").notes == (
        "left out, this model knows no such tag: '<foo>'",
    )
