"""The whole way that docs/distill.md describes, at the smallest size: recordings to a voice."""

import json
from pathlib import Path

import pytest
from mini_libritts_tree import mini_libritts

from mamtra.audio.clip import read
from mamtra.checkpoints.format import ModelFolder
from mamtra.cli.main import main
from mamtra.speech_lm import SpeechLMConfig

TEACHER = "nano-teacher"


def run(*words: object, codes: tuple[int, ...] = (0,)) -> None:
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    assert int(ended.value.code or 0) in codes


def test_recordings_become_a_student_that_speaks(tmp_path: Path) -> None:
    tree, shards = mini_libritts(tmp_path / "tree"), tmp_path / "shards"
    student, trained = tmp_path / "student", tmp_path / "run"
    run("prepare", "libritts", tree, "-o", shards, "--teacher", TEACHER, "--longest", 3)
    run("convert", TEACHER, "-o", student, "--ratio", "1:1", "--form", "open", "--solve", 2)
    values = {"steps": 3, "learning_rate": 1e-4, "tokens": 100, "held_out": 1}
    words = [word for key, value in values.items() for word in ("--set", f"{key}={value}")]
    words += ["--device", "cpu", "--no-samples"]
    run("distill", TEACHER, student, "--data", shards, "-o", trained, *words)
    rows = [json.loads(line) for line in (trained / "log.jsonl").read_text().splitlines()]
    assert max(row["step"] for row in rows) == 3
    config = ModelFolder(trained / "student").section("speech_lm", SpeechLMConfig)
    assert config.backbone.layout == "AM" * 6
    run(
        "say",
        "Hello there.",
        "--model",
        trained / "student",
        "-o",
        tmp_path / "said.wav",
        codes=(0, 10),
    )
    speech = read(tmp_path / "said.wav")
    assert speech.seconds > 0.2
    assert abs(speech.samples).max() > 0.01
