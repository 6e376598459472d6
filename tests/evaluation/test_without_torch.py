"""Recordings are judged, compared and listened to where torch is not installed."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mamtra.audio.clip import Audio, write

pytest.importorskip("pocketsphinx")
pytest.importorskip("jiwer")

HIDDEN = "import sys; sys.modules['torch'] = None; from mamtra.cli.main import main; main()"


def without_torch(*arguments: str) -> str:
    """What a command prints."""
    done = subprocess.run(
        [sys.executable, "-c", HIDDEN, "evaluate", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_an_outsider_needs_no_torch_to_judge_recordings(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    (tmp_path / "lines.txt").write_text("Hello there.\nGood morning.\n")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        for number in (1, 2):
            samples = draw.normal(0, 0.1, 8000).astype(np.float32)
            write(tmp_path / name / f"{number}.wav", Audio(samples=samples, rate_hz=16_000))
    wavs = ["--wavs", str(tmp_path / "one"), "--wavs", str(tmp_path / "two")]
    lines = str(tmp_path / "lines.txt")
    judge = ["--judge", "pocketsphinx:choice", "-o", str(tmp_path / "out")]
    told = without_torch("intelligibility", "--sentences", lines, *wavs, *judge)
    assert "CER %" in told
    told = without_torch("seed-tts", "--set", lines, *wavs, *judge, "--baseline", "one")
    assert "over baseline" in told
    assert "CER %" in without_torch("table", str(tmp_path / "out" / "scores.json"))
    blind = ["blind", "--sentences", lines, *wavs, "-o", str(tmp_path / "blind"), "--count", "2"]
    without_torch(*blind)
    assert (tmp_path / "blind" / "page" / "index.html").exists()


@pytest.mark.parametrize(
    "judge", ["campplus", "dnsmos", "onnx_asr", "pocketsphinx", "resemblyzer", "whisper"]
)
def test_a_judge_that_says_so_loads_without_torch(judge: str) -> None:
    code = f"import sys; sys.modules['torch'] = None; import mamtra.evaluation.judges.{judge}"
    subprocess.run([sys.executable, "-c", code], check=True)
