"""The models that ship say sentences that a recogniser understands, and are small."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import mamtra
from mamtra.checkpoints.format import ModelFolder
from mamtra.checkpoints.locate import SHIPPED, built_in
from mamtra.synthesis.speech import Speech
from mamtra.synthesis.synthesizer import Synthesizer

pytestmark = pytest.mark.skipif("nano" not in built_in(), reason="nano is not in this checkout")

# none of them was trained on; the first is the README's
SENTENCES = (
    "The weather was fine, so we walked along the river until evening.",
    "She put the letter on the table and closed the door.",
    "We can meet again on Monday morning at the station.",
)
LIMIT_BYTES = 60e6  # of everything that ships


@pytest.fixture(scope="module", params=sorted(built_in()))
def synthesizer(request: pytest.FixtureRequest) -> Synthesizer:
    return mamtra.load(request.param)


@pytest.fixture(scope="module")
def spoken(synthesizer: Synthesizer) -> list[Speech]:
    return [synthesizer.say(sentence) for sentence in SENTENCES]


def test_it_ends_by_itself_after_a_plausible_time(spoken: list[Speech]) -> None:
    for speech, sentence in zip(spoken, SENTENCES, strict=True):
        assert speech.stop_reason == "end"
        assert 0.2 < speech.seconds / len(sentence.split()) < 0.6


def test_it_is_sound_neither_silent_nor_clipped(spoken: list[Speech]) -> None:
    for speech in spoken:
        assert np.isfinite(speech.samples).all()
        assert 0.02 < np.sqrt(np.mean(speech.samples**2)) < 0.4
        assert np.mean(np.abs(speech.samples) > 0.98) < 0.001


def test_a_recogniser_hears_most_of_its_words(spoken: list[Speech]) -> None:
    pytest.importorskip("pocketsphinx")
    jiwer = pytest.importorskip("jiwer")
    from mamtra.evaluation.judges.pocketsphinx import Pocketsphinx
    from mamtra.evaluation.word_errors import plain_words

    judge = Pocketsphinx("unigram", SENTENCES)
    heard = [judge.hear(speech.samples, speech.rate) for speech in spoken]
    wanted = [plain_words(sentence) for sentence in SENTENCES]
    assert jiwer.wer(wanted, heard) < 0.5, heard


def test_it_has_the_voices_that_its_card_names(synthesizer: Synthesizer) -> None:
    card = (synthesizer.folder.folder / "README.md").read_text()
    assert synthesizer.voices
    assert all(name in card for name in synthesizer.voices)


def test_every_voice_speaks(synthesizer: Synthesizer) -> None:
    said = [synthesizer.say("Good morning.", voice=name) for name in synthesizer.voices]
    assert all(np.abs(speech.samples).max() > 0.05 for speech in said)
    pairs = pairwise(said)
    assert not any(np.array_equal(one.samples, other.samples) for one, other in pairs)


def test_the_student_is_a_hybrid_and_the_teacher_is_not() -> None:
    layouts = {
        name: ModelFolder(path).config.speech_lm["backbone"]["layout"]
        for name, path in built_in().items()
    }
    assert {"A", "M"} == set(layouts["nano"])
    assert set(layouts.get("nano-teacher", "A")) == {"A"}


def test_all_that_ships_is_small_enough() -> None:
    files = [path for path in Path(SHIPPED).rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= LIMIT_BYTES
