"""nano proofreads what its language model wrote, and says it the same however it is asked."""

import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

import mamtra
from mamtra.checkpoints.locate import built_in
from mamtra.cli.batch_lines import Line
from mamtra.errors import ModelError
from mamtra.synthesis.options import SpeakOptions
from mamtra.synthesis.proofreading import proofreader_of
from mamtra.synthesis.speech import Speech
from mamtra.synthesis.synthesizer import Synthesizer

SENTENCES = (
    "He is the tallest boy in his class.",
    "I always feel better after a long walk.",
    "The cook added garlic, pepper and a spoon of honey.",
    "We sang songs all the way to the lake.",
    "The dog barked at a stranger by the gate.",
    "My grandfather used to fix watches for a living.",
    "The mayor promised to build a new school.",
    "The widowers skidded historically.",
    "Bernbach wrote to Iphigenia about Brahms.",
    "Treat the infection with antibiotics.",
)


@pytest.fixture(scope="module")
def nano() -> Synthesizer:
    return mamtra.load("nano")


@pytest.fixture(scope="module")
def spoken(nano: Synthesizer) -> dict[str, tuple[Speech, Speech]]:
    """Each sentence as it is said, and as it is said at first."""
    return {text: (nano.say(text), nano.say(text, proofread=False)) for text in SENTENCES}


def misread(nano: Synthesizer, text: str, speech: Speech) -> float:
    assert nano.check_of is not None
    return nano.check_of(nano.reader.encode(text))(speech.speech_tokens)


def test_of_what_was_misread_a_better_attempt_is_said(
    nano: Synthesizer, spoken: dict[str, tuple[Speech, Speech]]
) -> None:
    changed = 0
    for text, (said, first) in spoken.items():
        before, after = misread(nano, text, first), misread(nano, text, said)
        assert after <= before
        if not before:
            assert said.speech_tokens == first.speech_tokens
        changed += said.speech_tokens != first.speech_tokens
        assert said.stop_reason == "end"
        assert said.misread == pytest.approx(after)
        assert first.misread == 0.0  # nobody looked
    assert changed  # else this test shows nothing: add sentences that nano reads badly


def test_another_text_is_misread(
    nano: Synthesizer, spoken: dict[str, tuple[Speech, Speech]]
) -> None:
    texts = list(spoken)
    for text, other in pairwise(texts):
        assert misread(nano, other, spoken[text][0]) > 0


def test_streams_and_batches_say_the_attempt_that_say_says(
    nano: Synthesizer, spoken: dict[str, tuple[Speech, Speech]]
) -> None:
    batch = dict(nano.say_batch(SENTENCES, rows=4))
    for number, text in enumerate(SENTENCES):
        tokens = spoken[text][0].speech_tokens
        pieces = [piece.spoken for piece in nano.stream(text) if piece.spoken is not None]
        assert [list(one.speech_tokens) for one in pieces] == [tokens]
        assert [one.misread for one in pieces] == [spoken[text][0].misread]
        found = batch[number]
        assert isinstance(found, Speech)
        assert found.speech_tokens == tokens


def test_a_stream_that_is_not_proofread_says_what_was_drawn_first(
    nano: Synthesizer, spoken: dict[str, tuple[Speech, Speech]]
) -> None:
    compared = 0
    for text in SENTENCES[:4]:
        (only,) = [p.spoken for p in nano.stream(text, proofread=False) if p.spoken is not None]
        if only.stop_reason == "end":  # else what is said at once was drawn again
            assert list(only.speech_tokens) == spoken[text][1].speech_tokens
            compared += 1
    assert compared > 1


def test_a_model_without_a_proofreader_is_not_proofread(tiny_model_folder: Path) -> None:
    tiny = mamtra.load(tiny_model_folder)
    assert proofreader_of(tiny.folder, tiny.reader.tokenizer) is None


def test_a_damaged_proofreader_is_refused(nano: Synthesizer, tmp_path: Path) -> None:
    folder = tmp_path / "nano"
    shutil.copytree(nano.folder.folder, folder)
    (folder / "SHA256SUMS").unlink()
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(config.replace('"layers": 5', '"layers": 6', 1))
    with pytest.raises(ModelError, match="weights of the proofreader do not fit"):
        mamtra.load(folder)


@pytest.mark.parametrize("name", sorted(built_in()))
def test_every_model_that_ships_is_proofread(name: str) -> None:
    assert mamtra.load(name).check_of is not None


def test_a_text_without_a_word_in_phones_is_not_held_back(nano: Synthesizer) -> None:
    assert nano.check_of is not None
    assert nano.check_of(nano.reader.tokenizer.encode("Zzyzx.")) is None


def test_a_carried_paragraph_is_proofread_too(nano: Synthesizer) -> None:
    text = " ".join(SENTENCES[:4])
    carried, first = (nano.say(text, state="carry", proofread=how) for how in (True, False))
    assert carried.stop_reason == first.stop_reason == "end"
    assert carried.speech_tokens != first.speech_tokens


def test_lines_of_a_batch_tell_whether_they_are_proofread() -> None:
    line = Line(number=1, id="a", path="a.wav", text="Hello.", options=SpeakOptions())
    other = replace(line, options=SpeakOptions(proofread=False))
    assert line.fingerprint("nano") != other.fingerprint("nano")
