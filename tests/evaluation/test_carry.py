"""Pairs of sentences, judged fresh and carried."""

from pathlib import Path

import mamtra
from mamtra.evaluation.carry import AfterAnother, pairs_of


def test_sentences_are_paired_and_one_left_over_is_dropped() -> None:
    found = pairs_of(["a", "b", "c", "d", "e"])
    assert [(line.prompt_text, line.text) for line in found.lines] == [("a", "b"), ("c", "d")]


def test_the_second_of_a_pair_is_said_in_both_ways(tiny_model_folder: Path) -> None:
    synthesizer = mamtra.load(tiny_model_folder)
    (line,) = pairs_of(["Hello there.", "It was fine."]).lines
    fresh, carry = (AfterAnother(synthesizer, state) for state in ("fresh", "carry"))
    clips = {system.name: system.speak(line, 0) for system in (fresh, carry)}
    assert all(clip.seconds > 0 for clip in clips.values())
    assert fresh.speak(line, 0).samples.tobytes() == clips["fresh"].samples.tobytes()
    assert clips["fresh"].samples.tobytes() != clips["carry"].samples.tobytes()
