"""A run over sentences: counted right, resumable, honest about what is missing."""

import json
from pathlib import Path

import numpy as np
import pytest

from mamtra.errors import CorpusError
from mamtra.evaluation.intelligibility import (
    ROWS,
    SETTINGS,
    Results,
    Row,
    fingerprint,
    measure,
    summarise,
    wrong_words,
)
from mamtra.evaluation.recogniser import plain_words
from mamtra.evaluation.stages import SPEECH, Clip

pytest.importorskip("jiwer")

TEXTS = ["The cat sat on the mat.", "Nine dogs ran.", "It's late."]
SETTINGS_OF_RUN = {"model": "fake", "seed": 0}


class Voice:
    """A stage whose clips carry the number of their sentence as their level."""

    def __init__(self, shift: int = 0) -> None:
        self.said: list[str] = []
        self.shift = shift

    def __call__(self, text: str) -> Clip:
        self.said.append(text)
        level = (TEXTS.index(text) + self.shift) % len(TEXTS) + 1
        samples = np.full(16_000 * len(text) // 12, level / 10, np.float32)
        return Clip(samples=samples, rate_hz=16_000, took_seconds=0.5, attempts=1 + self.shift)


class Ear:
    """A judge that knows the sentence from the level of the sound."""

    def __init__(self) -> None:
        self.heard = 0

    def hear(self, samples: np.ndarray, rate_hz: int) -> str:
        self.heard += 1
        return plain_words(TEXTS[round(float(samples[0]) * 10) - 1])


def run(folder: Path | None, stages: dict[str, Voice], settings: dict | None = None) -> list[Row]:
    results = Results(folder, settings or SETTINGS_OF_RUN)
    return list(measure(TEXTS, {"slt": stages}, {"default": Ear()}, results))


@pytest.mark.parametrize(
    ("reference", "heard", "wrong"),
    [("a b c", "a b c", 0), ("a b c", "a x c d", 2), ("a b c", "", 3), ("a b", "b", 1)],
)
def test_wrong_words_are_replaced_added_and_left_out_ones(
    reference: str, heard: str, wrong: int
) -> None:
    assert wrong_words(reference, heard) == wrong


def test_a_perfect_voice_has_no_wrong_words_and_a_confused_one_has(tmp_path: Path) -> None:
    rows = run(None, {"source": Voice(), SPEECH: Voice(shift=1)})
    source, speech = summarise(rows)
    assert source["wer"]["default"]["percent"] == 0
    assert source["above_source"] is None
    assert source["right_percent"] == {"default": 100}
    assert speech["wer"]["default"]["percent"] > 90
    assert speech["above_source"]["default"]["percent"] == speech["wer"]["default"]["percent"]
    assert speech["retried_percent"] == 100
    assert speech["times_real_time"] == pytest.approx(speech["seconds"] / 1.5, abs=0.01)


def test_finished_sentences_are_not_said_again(tmp_path: Path) -> None:
    first = run(tmp_path, {"source": Voice()})
    again, new = Voice(), Voice()
    second = run(tmp_path, {"source": again, SPEECH: new})
    assert again.said == []
    assert new.said == TEXTS
    assert [row for row in second if row.stage == "source"] == first


def test_a_half_written_line_is_said_again_and_the_file_is_whole_after(tmp_path: Path) -> None:
    before = run(tmp_path, {SPEECH: Voice()})
    path = tmp_path / ROWS
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    voice = Voice()
    assert run(tmp_path, {SPEECH: voice}) == before
    assert voice.said == TEXTS[-1:]
    assert path.read_bytes() == whole


def test_another_run_does_not_mix_with_the_one_in_a_folder(tmp_path: Path) -> None:
    run(tmp_path, {SPEECH: Voice()})
    with pytest.raises(CorpusError, match="another seed; choose another folder"):
        run(tmp_path, {SPEECH: Voice()}, {"model": "fake", "seed": 1})
    assert json.loads((tmp_path / SETTINGS).read_text()) == SETTINGS_OF_RUN


def test_a_folder_that_cannot_be_written_is_one_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CorpusError, match="cannot keep results"):
        Results(tmp_path / "file" / "folder", {})


def test_a_sentence_without_words_is_refused_before_anything_is_said() -> None:
    voice = Voice()
    results = Results(None, {})
    with pytest.raises(CorpusError, match="has no words"):
        list(measure(["Fine.", "..."], {"slt": {SPEECH: voice}}, {"default": Ear()}, results))
    assert voice.said == []


def test_sounds_are_kept_if_asked_for(tmp_path: Path) -> None:
    results = Results(tmp_path, SETTINGS_OF_RUN, keep_sounds=True)
    list(measure(TEXTS, {"slt": {SPEECH: Voice()}}, {"default": Ear()}, results))
    kept = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.wav"))
    assert kept == [f"wav/slt/speech/{number:04d}.wav" for number in range(3)]


def test_speech_that_did_not_end_counts_as_degenerate() -> None:
    def runaway(text: str) -> Clip:
        return Clip(samples=np.ones(16_000, np.float32), rate_hz=16_000, stop="budget")

    results = Results(None, {})
    rows = list(measure(["I see you."], {"slt": {SPEECH: runaway}}, {}, results))
    assert rows[0].fault == "budget"


def test_sentences_in_another_order_are_other_sentences() -> None:
    assert fingerprint(["a", "b"]) != fingerprint(["b", "a"])
