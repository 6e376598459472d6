"""A voice is a value: made, saved, found again."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_model import recording

from mamtra.audio.clip import Audio
from mamtra.checkpoints.format import ModelFolder
from mamtra.errors import VoiceError
from mamtra.voice.encoder import listening_parts
from mamtra.voice.voice import Voice, default_voice, find_voice, make_voice


@pytest.fixture
def voice() -> Voice:
    return Voice(
        name="anna",
        speaker=torch.randn(8),
        tokens=torch.arange(5),
        mel=torch.randn(80, 10),
        text="hello",
        licence="CC0-1.0",
    )


def test_a_saved_voice_comes_back(voice: Voice, tmp_path: Path) -> None:
    back = Voice.load(voice.save(tmp_path / "deep" / "a.safetensors"))
    assert (back.name, back.text, back.source, back.licence) == ("anna", "hello", "", "CC0-1.0")
    assert back.tokens.tolist() == voice.tokens.tolist()
    torch.testing.assert_close(back.mel, voice.mel, atol=2e-3, rtol=2e-3)
    torch.testing.assert_close(back.speaker, voice.speaker, atol=2e-3, rtol=2e-3)


def test_prompt_tokens_and_frames_must_agree() -> None:
    with pytest.raises(VoiceError, match="9 mel frames for 5 speech tokens"):
        Voice(name="x", speaker=torch.ones(8), tokens=torch.arange(5), mel=torch.ones(80, 9))


def test_what_is_no_voice_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"nonsense")
    with pytest.raises(VoiceError, match=r"a\.safetensors.* not a saved voice"):
        Voice.load(tmp_path / "a.safetensors")


def test_a_voice_is_found_by_name_by_path_or_by_default(tiny_model_folder: Path) -> None:
    folder = ModelFolder(tiny_model_folder)
    high = tiny_model_folder / "voices" / "high.safetensors"
    assert default_voice(folder) == "low"
    assert find_voice(folder, None).stem == "low"
    assert find_voice(folder, "high") == find_voice(folder, high) == high
    with pytest.raises(VoiceError, match="unknown voice 'nobody'; model 'tiny' has: high, low"):
        find_voice(folder, "nobody")


def test_voices_of_different_recordings_differ_at_any_rate(tiny_model_folder: Path) -> None:
    folder = ModelFolder(tiny_model_folder)
    parts = listening_parts(folder)
    low = make_voice(parts, recording(110.0).at(24_000), "low")
    same, other = (Voice.load(folder.voice_files()[name]).speaker for name in ("low", "high"))
    assert torch.dist(low.speaker, same) < torch.dist(low.speaker, other)


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
        make_voice(listening_parts(ModelFolder(tiny_model_folder)), audio, "x")
