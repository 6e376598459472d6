"""A CosyVoice 2 folder from its import to speech: random weights at toy size, the real chain."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from cosyvoice_folder import GUARD, PROMPT_WORDS, set_guard, write_prompt, write_toy_model
from exit_code import ended

import mamtra
from mamtra.backbone import Layout
from mamtra.checkpoints.format import ModelFolder
from mamtra.errors import ConfigError, ModelError, VoiceError
from mamtra.runtime.torch.open import open_model
from mamtra.synthesis.acoustics import flow_noise
from mamtra.synthesis.synthesizer import Synthesizer
from mamtra.transfer.convert import convert

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")
pytest.importorskip("wetext")
SAMPLES_PER_TOKEN = 2 * 480
TEXT = "It costs $3.50."
MODES = ({"mode": "zero-shot"}, {"mode": "cross-lingual"}, {"instruct": "Speak low."})


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The imported folder ``toy``, its half-Mamba student, and a voice made for both."""
    folder = tmp_path_factory.mktemp("cosyvoice")
    toy = write_toy_model(folder)
    convert(ModelFolder(toy), folder / "student", Layout.repeat(1, 1, 4))
    made = ["voice", "make", str(write_prompt(folder / "prompt.wav")), "--model", str(toy)]
    told = ["--text", PROMPT_WORDS, "--licence", "CC0-1.0", "--consent", "a buzz agrees"]
    assert ended([*made, *told, "-o", str(folder / "buzz.safetensors")]) == 0
    return folder


@pytest.fixture(scope="module")
def student(models: Path) -> Synthesizer:
    return mamtra.load(models / "student")


def test_the_student_speaks_in_all_three_modes(student: Synthesizer, models: Path) -> None:
    voice = models / "buzz.safetensors"
    spoken = [student.say(TEXT, voice, seed=1, **how) for how in MODES]
    for speech in spoken:
        assert speech.rate == 24_000
        assert len(speech.samples) == len(speech.speech_tokens) * SAMPLES_PER_TOKEN > 0
        assert np.isfinite(speech.samples).all()
        assert np.abs(speech.samples).max() > 1e-4
        assert speech.text == "It costs three dollars and fifty cents."
    assert len({tuple(speech.speech_tokens) for speech in spoken}) == 3


def test_the_same_seed_gives_the_same_samples_and_zero_shot_is_the_default(
    student: Synthesizer, models: Path
) -> None:
    voice = models / "buzz.safetensors"
    first = student.say(TEXT, voice, seed=1)
    again = student.say(TEXT, voice, seed=1, mode="zero-shot")
    np.testing.assert_array_equal(first.samples, again.samples)
    assert student.say(TEXT, voice, seed=2).speech_tokens != first.speech_tokens


def test_the_decoder_continues_the_prompt(student: Synthesizer, models: Path) -> None:
    voice, decoder = student.voice(models / "buzz.safetensors"), student.model.decoder
    other, noise = replace(voice, mel=voice.mel[:, ::-1].copy()), flow_noise(decoder.sizes)
    mels = [decoder.decode([1, 2, 3, 4], own.prompt, noise) for own in (voice, other)]
    assert mels[0].shape == (80, 8)
    assert not np.allclose(*mels)


def test_long_text_is_spoken_in_pieces(student: Synthesizer, models: Path) -> None:
    text = "We walked with Dr. Smith and paid $3.50. " * 2
    assert len(student.pieces(text)) == 2
    speech = student.say(text, models / "buzz.safetensors")
    assert speech.text == " ".join(student.pieces(text))
    assert len(speech.speech_tokens) > 20


def test_each_part_may_have_a_type_of_its_own(models: Path) -> None:
    folder, kinds = ModelFolder(models / "student"), {"speech_lm": torch.bfloat16}
    parts = open_model(folder, dtypes=kinds)
    assert parts.speech_model.model.head.weight.dtype == torch.bfloat16
    assert parts.decoder.model.mean_head.weight.dtype == torch.float32
    parts = open_model(folder, dtypes={"decoder": torch.bfloat16})
    assert parts.speech_model.model.head.weight.dtype == torch.float32
    assert parts.decoder.model.mean_head.weight.dtype == torch.bfloat16


@pytest.mark.parametrize("part", ["decoder", "vocoder"])
def test_half_the_bits_sound_nearly_the_same(student: Synthesizer, models: Path, part: str) -> None:
    half = mamtra.load(models / "student", dtypes={part: torch.bfloat16})
    voice = models / "buzz.safetensors"
    assert np.isfinite(half.say("Hi.", voice).samples).all()
    noise = flow_noise(student.model.decoder.sizes)
    mel, other = (
        own.model.decoder.decode([1, 2, 3, 4], own.voice(voice).prompt, noise)
        for own in (student, half)
    )
    assert other.dtype == np.float32
    assert np.linalg.norm(mel - other) / np.linalg.norm(mel) < 0.05


def test_a_type_for_an_unknown_part_is_refused(models: Path) -> None:
    with pytest.raises(ConfigError, match="no part is called ears"):
        mamtra.load(models / "student", dtypes={"ears": torch.bfloat16})


def test_the_command_speaks_with_the_voice_and_an_instruction(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["say", TEXT, "-o", str(tmp_path / "a.wav"), "--model", str(models / "student")]
    voice = ["--voice", str(models / "buzz.safetensors"), "--json"]
    # random weights seldom end by themselves, which is told by 10
    assert ended([*arguments, *voice, "--instruct", "Speak low."]) in (0, 10)
    told = json.loads(capsys.readouterr().out)
    assert told["text"] == "It costs three dollars and fifty cents."
    samples, rate = soundfile.read(tmp_path / "a.wav")
    assert (rate, len(samples)) == (24_000, told["speech_tokens"] * SAMPLES_PER_TOKEN)
    assert ended([*arguments, *voice, "--no-normalize"]) in (0, 10)
    assert json.loads(capsys.readouterr().out)["text"] == TEXT


def test_without_a_voice_the_command_says_what_to_do(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(["say", "Hi.", "--model", str(models / "toy")]) == 5
    assert "no voice was given and model 'toy' has: no voices" in capsys.readouterr().err


def test_voices_and_models_of_different_kinds_refuse_each_other(
    student: Synthesizer, models: Path, tiny_model_folder: Path
) -> None:
    with pytest.raises(VoiceError, match=r"another model than 'student' \(a speaker's vector of 8"):
        student.voice(tiny_model_folder / "voices" / "low.safetensors")
    with pytest.raises(VoiceError, match="192, not 8; samples a second 24000, not 16000"):
        mamtra.load(tiny_model_folder).voice(models / "buzz.safetensors")


def test_nano_follows_no_instructions(tiny_model_folder: Path) -> None:
    tiny = mamtra.load(tiny_model_folder)
    with pytest.raises(ModelError, match="'tiny' cannot follow instructions"):
        tiny.say("Hi.", instruct="Speak low.")
    with pytest.raises(ModelError, match="'tiny' was not trained to go on from a prompt"):
        tiny.say("Hi.", mode="zero-shot")


def test_the_guard_is_the_configs(models: Path) -> None:
    set_guard(models / "toy", GUARD | {"min_per_text_token": 0.2, "max_per_text_token": 0.2})
    speech = mamtra.load(models / "toy").say("Hello you.", models / "buzz.safetensors")
    assert len(speech.speech_tokens) == 4
    assert speech.stop_reason == "budget"
