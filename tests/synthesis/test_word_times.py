"""When words are heard: alignment, and files of times."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mamtra.audio.clip import Audio
from mamtra.errors import ConfigError
from mamtra.synthesis.word_times import WordTime, check_suffix, rough_phones, subtitles

WORDS = [
    WordTime(word="good", start=0.0, end=0.3214),
    WordTime(word="morning", start=3_661.5, end=3_662.0),
]


def test_json_names_the_method() -> None:
    told = json.loads(subtitles(WORDS, ".json"))
    assert told["method"] == "pocketsphinx"
    assert told["words"][1]["start"] == 3_661.5


def test_srt_and_vtt_write_their_clocks() -> None:
    assert "00:00:00,000 --> 00:00:00,321\ngood" in subtitles(WORDS, ".srt")
    vtt = subtitles(WORDS, ".vtt")
    assert vtt.startswith("WEBVTT\n")
    assert "01:01:01.500 --> 01:01:02.000\nmorning" in vtt


def test_another_suffix_is_refused_with_the_possible_ones() -> None:
    with pytest.raises(ConfigError, match=r"\.json, \.srt or \.vtt"):
        check_suffix(Path("words.txt"))


def test_unknown_words_get_a_phone_for_each_letter() -> None:
    assert rough_phones("zorblatt") == "Z AA R B L AE T"
    assert rough_phones("'") == "AH"


def test_every_word_is_found_in_its_order() -> None:
    pytest.importorskip("pocketsphinx")
    mamtra = pytest.importorskip("mamtra")
    from mamtra.synthesis.word_times import Aligner

    speech = mamtra.load("nano").say("Good morning to all of you.", seed=2)
    words = Aligner().align(speech.audio, speech.text, offset_seconds=2.0)
    assert [word.word for word in words] == speech.text.lower().replace(",", "").strip(".").split()
    assert all(a.end <= b.start + 1e-6 for a, b in pairwise(words))
    assert words[0].start >= 2.0
    assert words[-1].end <= 2.0 + speech.seconds + 0.1


def test_silence_holds_no_words() -> None:
    pytest.importorskip("pocketsphinx")
    from mamtra.synthesis.word_times import Aligner

    silence = Audio(samples=np.zeros(100, np.float32), rate_hz=16_000)
    assert Aligner().align(silence, "hello there") == []
