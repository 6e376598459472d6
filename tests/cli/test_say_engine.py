"""Where a user chooses how the model runs, and hears what is not possible."""

import json
from pathlib import Path

import pytest
import torch
from eight_bit import INT8
from exit_code import ended


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", INT8])
def test_every_type_of_weights_speaks(
    dtype: str, tiny_model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "a.wav"
    options = ["--model", str(tiny_model_folder), "--dtype", dtype, "--threads", "1", "--json"]
    assert ended(["say", "Hello there.", "-o", str(target), *options]) == 0
    assert json.loads(capsys.readouterr().out)["speech_tokens"] > 0
    assert target.exists()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--engine", "graph"], "needs device cuda"),
        (["--dtype", "float16"], "possible are auto, float32, bfloat16, int8"),
        (["--device", "tpu"], "possible are cpu and cuda"),
        (["--device", "cuda"], "no CUDA GPU"),
    ],
)
def test_what_is_not_possible_is_told_in_a_sentence(
    options: list[str],
    reason: str,
    tiny_model_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    target = tmp_path / "a.wav"
    arguments = ["say", "Hello.", "-o", str(target), "--model", str(tiny_model_folder)]
    assert ended([*arguments, *options]) == 3
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert reason in told
    assert not target.exists()
