"""``mamtra corpus record``: one file a line, and nothing twice."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from mamtra.audio.clip import read
from mamtra.cli import corpus
from mamtra.cli.corpus import app


class Beeps:
    """A synthesiser that counts what it says."""

    rate_hz = 16_000

    def __init__(self) -> None:
        self.said: list[str] = []

    def speak(self, text: str) -> np.ndarray:
        self.said.append(text)
        return np.full(1600, 0.25, np.float32)


def test_a_set_is_recorded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Beeps()
    monkeypatch.setattr(corpus, "synthesiser_for", lambda voice: source)
    out = tmp_path / "out"
    for limit in ("2", "3"):
        arguments = ["record", "--set", "everyday", "--limit", limit, "-o", str(out)]
        assert CliRunner().invoke(app, arguments, catch_exceptions=False).exit_code == 0
    assert len(source.said) == 3
    assert sorted(path.name for path in out.iterdir()) == ["0001.wav", "0002.wav", "0003.wav"]
    assert read(out / "0003.wav").seconds == pytest.approx(0.1)
