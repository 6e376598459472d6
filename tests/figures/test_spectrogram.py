"""The picture of one sentence."""

import json
from pathlib import Path

import numpy as np
import pytest

from mamtra.audio.clip import Audio
from mamtra.errors import ConfigError
from mamtra.evaluation.loudness import FLOOR_DB, decibels
from mamtra.evaluation.stages import Clip
from mamtra.figures.spectrogram import draw


def tone(hz: float, seconds: float = 0.5) -> Clip:
    time = np.arange(round(16_000 * seconds)) / 16_000
    return Clip(samples=np.sin(2 * np.pi * hz * time).astype(np.float32), rate_hz=16_000)


def test_a_tone_is_loudest_at_its_own_frequency() -> None:
    levels = decibels(tone(2000).audio)
    assert levels.max() == pytest.approx(0, abs=0.1)
    assert levels.min() >= FLOOR_DB
    middle = levels[:, levels.shape[1] // 2]
    assert middle.argmax() == round(2000 / 16_000 * 512)


def test_silence_can_be_drawn() -> None:
    assert np.isfinite(decibels(Audio(samples=np.zeros(900, np.float32), rate_hz=16_000))).all()


def test_the_picture_comes_with_what_is_on_it(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    clips = {"source": tone(300), "copy": tone(400), "speech": tone(500, 0.7)}
    path = draw(clips, "A tone.", tmp_path / "tones.png", {"seed": 3})
    assert path.read_bytes().startswith(b"\x89PNG")
    told = json.loads(path.with_suffix(".json").read_text())
    assert told["text"] == "A tone."
    assert told["seed"] == 3
    assert [row["stage"] for row in told["clips"]] == list(clips)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["tones.json", "tones.png"]


@pytest.mark.parametrize("name", ["tones.txt", "nowhere/tones.png"])
def test_a_picture_that_cannot_be_written_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot draw"):
        draw({"source": tone(300)}, "A tone.", tmp_path / name)
