"""The whole chain, through a tiny model of random weights."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import mamtra
from mamtra.checkpoints.format import ModelFolder
from mamtra.checkpoints.modules import save_part
from mamtra.config import from_dict
from mamtra.errors import CheckpointError, ConfigError, ModelError, TextError, VoiceError
from mamtra.speech_lm import SpeechLM, SpeechLMConfig
from mamtra.synthesis.options import SpeakOptions
from mamtra.synthesis.speech import ComputeSeconds, join
from mamtra.synthesis.synthesizer import Synthesizer
from mamtra.synthesis.text_reader import LettersReader, TextConfig, closed

SENTENCE = "It costs $3.50, Dr. Smith said."


@pytest.fixture(scope="module")
def synthesizer(tiny_model_folder: Path) -> Synthesizer:
    return mamtra.load(tiny_model_folder)


def test_a_sentence_becomes_finite_sound_of_the_length_its_tokens_ask_for(
    synthesizer: Synthesizer,
) -> None:
    speech = synthesizer.say("Hello there.")
    assert speech.samples.dtype == np.float32
    assert np.isfinite(speech.samples).all()
    assert np.abs(speech.samples).max() <= 1
    assert speech.rate == 16_000
    assert len(speech.samples) == len(speech.speech_tokens) * 640
    assert speech.stop_reason in ("end", "budget", "repetition", "silence")
    assert speech.text == "Hello there."


def test_the_same_seed_gives_the_same_samples_and_another_does_not(
    synthesizer: Synthesizer,
) -> None:
    first, again = (synthesizer.say("Hello.", seed=3).samples for _ in range(2))
    other = synthesizer.say("Hello.", seed=4).samples
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape or not np.array_equal(first, other)


def test_every_stage_is_timed(synthesizer: Synthesizer) -> None:
    spent = synthesizer.say("Hello.").compute_seconds
    stages = (spent.text, spent.speech_lm, spent.decoder, spent.vocoder)
    assert all(seconds > 0 for seconds in stages)
    assert spent.total == pytest.approx(sum(stages))
    assert (spent + ComputeSeconds(text=1.0)).text == spent.text + 1


def test_another_voice_changes_the_sound_and_not_the_tokens(synthesizer: Synthesizer) -> None:
    assert synthesizer.voices == ["low", "high"]
    low, high = synthesizer.say("Hello.", voice="low"), synthesizer.say("Hello.", voice="high")
    assert low.speech_tokens == high.speech_tokens
    assert not np.array_equal(low.samples, high.samples)
    np.testing.assert_array_equal(low.samples, synthesizer.say("Hello.").samples)


def test_a_voice_may_be_a_value_or_a_path(
    synthesizer: Synthesizer, tiny_model_folder: Path
) -> None:
    by_name = synthesizer.say("Hello.", voice="high").samples
    path = tiny_model_folder / "voices" / "high.safetensors"
    for voice in (path, str(path), mamtra.Voice.load(path)):
        np.testing.assert_array_equal(synthesizer.say("Hello.", voice=voice).samples, by_name)


def test_text_is_spoken_as_words(synthesizer: Synthesizer) -> None:
    spoken = " ".join(synthesizer.pieces(SENTENCE)).lower()
    assert "three dollars" in spoken
    assert "doctor smith" in spoken


def test_long_text_is_spoken_in_pieces_and_joined(
    synthesizer: Synthesizer,
) -> None:
    reader = LettersReader(TextConfig(piece_characters=12), Path())
    pieces = reader.pieces("We walked, slowly. It was fine. We walked, slowly.")
    assert len(pieces) >= 3
    assert max(map(len, pieces)) <= 12
    options = SpeakOptions(seed=1)
    spoken = list(synthesizer.speak([pieces], options))
    whole = join(list(synthesizer.speak([pieces], options)))
    np.testing.assert_array_equal(join(spoken).samples, whole.samples)
    assert whole.speech_tokens == [token for piece in spoken for token in piece.speech_tokens]
    assert len({tuple(piece.speech_tokens) for piece in spoken}) == len(spoken)
    assert whole.seconds > sum(len(piece.speech_tokens) for piece in spoken) / 25 * 0.5


def test_numbers_that_grow_are_cut_again(synthesizer: Synthesizer) -> None:
    numbers = "The numbers are 123456, 234567, 345678, 456789, 567891 and 678912."
    pieces = synthesizer.pieces(numbers)
    assert len(pieces) > 1
    assert max(map(len, pieces)) <= synthesizer.text.piece_characters


@pytest.mark.parametrize("text", ["", "  \n", "...", "你好", "{hh ax q}"])
def test_what_cannot_be_spoken_is_a_text_error(synthesizer: Synthesizer, text: str) -> None:
    with pytest.raises(TextError):
        synthesizer.say(text)


def test_a_sentence_in_another_script_is_left_out(synthesizer: Synthesizer) -> None:
    long = "This sentence is long enough that it is spoken as a piece of its own, it really is."
    assert " ".join(synthesizer.pieces(f"{long} Привет, мир! {long}")).count("really") == 2


def test_words_may_be_given_in_phones(synthesizer: Synthesizer) -> None:
    assert synthesizer.say("{hh ax l ow} world.").speech_tokens


def test_speech_is_saved_in_the_format_of_the_suffix(
    synthesizer: Synthesizer, tmp_path: Path
) -> None:
    speech = synthesizer.say("Hello.")
    for name in ("a.wav", "a.flac"):
        samples, rate = soundfile.read(speech.save(tmp_path / name))
        assert rate == speech.rate
        np.testing.assert_allclose(samples, speech.samples, atol=1e-4)
    assert len(list(tmp_path.iterdir())) == 2


def test_an_unknown_voice_or_model_is_named(synthesizer: Synthesizer) -> None:
    with pytest.raises(VoiceError, match=r"unknown voice 'nobody'.*high, low"):
        synthesizer.say("Hello.", voice="nobody")
    with pytest.raises(ModelError, match="unknown model 'nothing'"):
        mamtra.load("nothing")


def damaged(tiny_model_folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_model_folder, tmp_path / "damaged")


def test_weights_of_another_model_are_refused(tiny_model_folder: Path, tmp_path: Path) -> None:
    folder = damaged(tiny_model_folder, tmp_path)
    shutil.copy(folder / "vocoder.safetensors", folder / "decoder.safetensors")
    with pytest.raises(CheckpointError, match=r"decoder\.safetensors.*not used: .*missing: "):
        mamtra.load(folder)


def test_a_missing_part_is_refused(tiny_model_folder: Path, tmp_path: Path) -> None:
    folder = damaged(tiny_model_folder, tmp_path)
    (folder / "vocoder.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"vocoder\.safetensors.*no such file"):
        mamtra.load(folder)


def test_parts_that_disagree_are_refused(tiny_model_folder: Path, tmp_path: Path) -> None:
    folder = damaged(tiny_model_folder, tmp_path)
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(config.replace('"hop": 320', '"hop": 160'))
    with pytest.raises(ModelError, match="hops of mel and vocoder are 160 and 320"):
        mamtra.load(folder)
    (folder / "config.json").write_text(config.replace('"text_vocabulary"', '"text_words"'))
    with pytest.raises(ConfigError, match=r"unknown key text_words .*known: backbone, text_voc"):
        mamtra.load(folder)


def test_a_teacher_may_share_all_but_its_language_model(
    tiny_model_folder: Path, tmp_path: Path
) -> None:
    teacher = tmp_path / "teacher"
    teacher.mkdir()
    tiny = ModelFolder(tiny_model_folder)
    section = dict(tiny.config.speech_lm, backbone={**tiny.config.speech_lm["backbone"]})
    section["backbone"]["layout"] = "AA"
    config = {"name": "tiny-teacher", "parts_from": str(tiny_model_folder), "speech_lm": section}
    (teacher / "config.json").write_text(json.dumps(config))
    torch.manual_seed(1)
    save_part(
        SpeechLM(from_dict(SpeechLMConfig, section, "here")), teacher / "speech_lm.safetensors"
    )
    synthesizer = mamtra.load(teacher)
    assert synthesizer.name == "tiny-teacher"
    assert synthesizer.voices == ["low", "high"]
    assert synthesizer.guard == mamtra.load(tiny_model_folder).guard
    assert len(synthesizer.say("Hello.").samples)


@pytest.mark.parametrize(
    ("piece", "read"),
    [("Hello", "Hello."), ("and then,", "and then."), ("Really?", "Really?"), ("a - ", "a.")],
)
def test_every_piece_is_read_as_a_finished_sentence(piece: str, read: str) -> None:
    assert closed(piece) == read


def test_a_missing_full_stop_changes_nothing(synthesizer: Synthesizer) -> None:
    assert synthesizer.say("Hello").speech_tokens == synthesizer.say("Hello.").speech_tokens


def test_speed_changes_the_length_of_say_and_stream(tiny_model_folder) -> None:
    synthesizer = mamtra.load(tiny_model_folder)
    text = "Good morning. It is warm today."
    normal = synthesizer.say(text)
    fast = synthesizer.say(text, speed=2)
    assert fast.speech_tokens == normal.speech_tokens
    assert len(fast.samples) == pytest.approx(len(normal.samples) / 2, abs=2)
    streamed = sum(len(piece.samples) for piece in synthesizer.stream(text))
    slow = sum(len(piece.samples) for piece in synthesizer.stream(text, speed=0.5))
    assert slow == pytest.approx(2 * streamed, abs=2)
    with pytest.raises(ConfigError, match="speed"):
        synthesizer.say(text, speed=3)
