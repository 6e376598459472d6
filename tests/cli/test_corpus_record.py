"""``mamtra corpus record``: one file a line, and nothing twice."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from mamtra.audio.clip import read
from mamtra.cli import corpus
from mamtra.cli.corpus import app
from mamtra.errors import CorpusError


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
    assert sorted(path.name for path in out.glob("*.wav")) == ["0001.wav", "0002.wav", "0003.wav"]
    assert read(out / "0003.wav").seconds == pytest.approx(0.1)


@pytest.mark.parametrize("other", [["--voice", "nova"], ["--set", "answers"]])
def test_another_voice_or_set_is_not_mixed_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: list[str]
) -> None:
    source = Beeps()
    monkeypatch.setattr(corpus, "synthesiser_for", lambda voice: source)
    given = ["record", "--set", "everyday", "--limit", "1", "-o", str(tmp_path / "out")]
    assert CliRunner().invoke(app, given, catch_exceptions=False).exit_code == 0
    with pytest.raises(CorpusError, match="recordings of another voice or set"):
        CliRunner().invoke(app, [*given, *other], catch_exceptions=False)
    assert len(source.said) == 1
