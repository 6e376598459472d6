"""Whether voices made from recordings are told apart: the comparison and its sum."""

from pathlib import Path

import numpy as np
import pytest

from mamtra.audio.clip import Audio, write
from mamtra.checkpoints.format import ModelFolder
from mamtra.checkpoints.locate import locate
from mamtra.cli.main import main
from mamtra.errors import CorpusError
from mamtra.evaluation.cloning import compared, summed
from mamtra.evaluation.judges import registry
from mamtra.evaluation.judges.judge import Identity
from mamtra.synthesis.load import load
from mamtra.voice.load import open_voice_encoder

RATE = 24_000


class Brightness:
    """A judge that finds two clips alike as their zero crossings are."""

    identity = Identity(name="brightness", package="none", version="0")

    def likeness(
        self, samples: np.ndarray, rate_hz: int, other: np.ndarray, other_rate_hz: int
    ) -> float:
        rates = [
            np.abs(np.diff(np.sign(clip))).sum() / len(clip) * rate
            for clip, rate in ((samples, rate_hz), (other, other_rate_hz))
        ]
        return float(min(rates) / max(rates))


def hum(pitch_hz: float) -> Audio:
    """Four seconds of a tone with its overtones."""
    time = np.arange(4 * RATE) / RATE
    sound = sum(np.sin(2 * np.pi * n * pitch_hz * time) / n for n in range(1, 6))
    return Audio(samples=(0.1 * sound).astype(np.float32), rate_hz=RATE)


def test_every_voice_is_compared_with_every_recording() -> None:
    synthesizer = load("nano")
    encoder = open_voice_encoder(ModelFolder(locate("nano")))
    table = compared(
        synthesizer, encoder, {"low": hum(100), "high": hum(900)}, ["Yes."], Brightness(), 0
    )
    assert table.shape == (2, 2)
    assert ((table > 0) & (table <= 1)).all()
    assert table[0, 0] != table[0, 1]


def test_the_sum_tells_own_from_others_and_counts_the_nearest() -> None:
    found = summed(["a", "b", "c"], np.array([[0.9, 0.5, 0.5], [0.6, 0.8, 0.4], [0.7, 0.7, 0.6]]))
    assert found["own"] == pytest.approx(2.3 / 3, abs=1e-3)
    assert found["others"] == pytest.approx(3.4 / 6, abs=1e-3)
    assert found["nearest"] == pytest.approx(2 / 3, abs=1e-3)
    assert found["chance"] == pytest.approx(1 / 3, abs=1e-3)


def test_one_speaker_is_too_few_and_nothing_is_said() -> None:
    synthesizer = load("nano")
    encoder = open_voice_encoder(ModelFolder(locate("nano")))
    with pytest.raises(CorpusError, match="two at least"):
        compared(synthesizer, encoder, {"a": hum(100)}, ["{zz"], Brightness(), 0)


def test_a_folder_that_is_none_and_a_judge_of_something_else_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for given, said in (
        ([str(tmp_path / "absent")], "no folder"),
        ([str(tmp_path), "--similarity", "pitch"], "does not compare voices"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(["evaluate", "cloning", *given])
        assert ended.value.code != 0
        assert said in capsys.readouterr().err


def test_two_recordings_of_one_name_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(registry, "open_judge", lambda *_: Brightness())
    for name in ("anna.wav", "anna.flac"):
        write(tmp_path / name, hum(100))
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", "cloning", str(tmp_path)])
    assert ended.value.code == 8
    assert "two recordings of 'anna'" in capsys.readouterr().err
