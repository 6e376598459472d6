"""A voice is a value: made, saved, found again."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from tiny_model import recording

from mamtra.audio.clip import Audio
from mamtra.checkpoints.format import ModelFolder
from mamtra.errors import VoiceError
from mamtra.voice.load import open_voice_encoder
from mamtra.voice.voice import Voice, default_voice, find_voice, make_voice


@pytest.fixture
def voice() -> Voice:
    return Voice(
        name="anna",
        speaker=np.linspace(-1, 1, 8, dtype=np.float32),
        tokens=np.arange(5),
        mel=np.random.default_rng(0).standard_normal((80, 10)).astype(np.float32),
        text="hello",
        licence="CC0-1.0",
    )


def test_a_saved_voice_comes_back(voice: Voice, tmp_path: Path) -> None:
    back = Voice.load(voice.save(tmp_path / "deep" / "a.safetensors"))
    assert (back.name, back.text, back.source, back.licence) == ("anna", "hello", "", "CC0-1.0")
    assert back.tokens.tolist() == voice.tokens.tolist()
    np.testing.assert_allclose(back.mel, voice.mel, atol=2e-3, rtol=2e-3)
    np.testing.assert_allclose(back.speaker, voice.speaker, atol=2e-3, rtol=2e-3)


def test_prompt_tokens_and_frames_must_agree() -> None:
    with pytest.raises(VoiceError, match="9 mel frames for 5 speech tokens"):
        Voice(
            name="x",
            speaker=np.ones(8, np.float32),
            tokens=np.arange(5),
            mel=np.ones((80, 9), np.float32),
        )


def test_what_is_no_voice_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"nonsense")
    with pytest.raises(VoiceError, match=r"a\.safetensors.* not a saved voice"):
        Voice.load(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"tokens": np.arange(5) - 1}, "speech tokens from -1 to 3"),
        ({"tokens": np.arange(5) + 24, "codes": 27}, "speech tokens from 0 to 28"),
        ({"mel": np.full((80, 10), np.nan, np.float32)}, "NaN"),
        ({"tokens": np.zeros(751, int), "mel": np.zeros((80, 1502), np.float32)}, "at most 30"),
    ],
)
def test_impossible_numbers_are_refused(voice: Voice, change: dict[str, Any], reason: str) -> None:
    with pytest.raises(VoiceError, match=reason):
        replace(voice, **change)


def test_a_file_with_other_types_shapes_or_notes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    arrays: dict[str, np.ndarray] = {
        "speaker": np.ones(8, np.float32),
        "tokens": np.arange(5, dtype=np.int64),
        "mel": np.ones((80, 10), np.float32),
    }
    save_file(arrays, path)
    assert Voice.load(path).name == "a"
    for name, wrong in (
        ("speaker", np.ones(8, np.int16)),
        ("mel", np.ones((80, 10), np.uint8)),
        ("tokens", np.ones(5, np.float32)),
        ("mel", np.ones((1, 80, 10), np.float32)),
    ):
        save_file(arrays | {name: wrong}, path)
        with pytest.raises(VoiceError, match=f"not a saved voice: {name} is "):
            Voice.load(path)
    save_file(arrays, path, {"codes": "many"})
    with pytest.raises(VoiceError, match=r"not a saved voice: .*many"):
        Voice.load(path)
    with pytest.raises(VoiceError, match=r"no saved voice .*: no such file"):
        Voice.load(tmp_path / "b.safetensors")
    (tmp_path / "rec.wav").write_bytes(b"RIFF")
    with pytest.raises(VoiceError, match=r"mamtra voice make"):
        Voice.load(tmp_path / "rec.wav")


def test_a_voice_is_found_by_name_by_path_or_by_default(tiny_model_folder: Path) -> None:
    folder = ModelFolder(tiny_model_folder)
    high = tiny_model_folder / "voices" / "high.safetensors"
    assert default_voice(folder) == "low"
    assert find_voice(folder, None).stem == "low"
    assert find_voice(folder, "high") == find_voice(folder, high) == high
    with pytest.raises(VoiceError, match="unknown voice 'nobody'; model 'tiny' has: high, low"):
        find_voice(folder, "nobody")
    folder.config = replace(folder.config, voice="nobody")
    with pytest.raises(VoiceError, match="names the voice 'nobody', which is not there; it has"):
        find_voice(folder, None)


def test_voices_of_different_recordings_differ_at_any_rate(tiny_model_folder: Path) -> None:
    folder = ModelFolder(tiny_model_folder)
    encoder = open_voice_encoder(folder)
    low = make_voice(encoder, recording(110.0).at(24_000), "low")
    same, other = (Voice.load(folder.voice_files()[name]).speaker for name in ("low", "high"))
    assert np.linalg.norm(low.speaker - same) < np.linalg.norm(low.speaker - other)


@pytest.mark.parametrize(
    ("audio", "reason"),
    [
        (recording(100, seconds=0.2), "lasts 0.2 seconds"),
        (recording(100, seconds=31), "lasts 31.0 seconds"),
        (Audio(samples=np.zeros(16_000, np.float32), rate_hz=16_000), "silent"),
    ],
)
def test_a_recording_that_cannot_be_used_says_why(
    audio: Audio, reason: str, tiny_model_folder: Path
) -> None:
    with pytest.raises(VoiceError, match=reason):
        make_voice(open_voice_encoder(ModelFolder(tiny_model_folder)), audio, "x")
