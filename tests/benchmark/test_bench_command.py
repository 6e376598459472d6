"""``mamtra bench say`` as a person meets it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mamtra.benchmark.say import Finished
from mamtra.cli import bench, bench_say
from mamtra.errors import ModelError

TOLD = {
    "seconds": 4.0,
    "timings": {"text": 0.0, "speech_lm": 0.4, "decoder": 0.2, "vocoder": 0.2},
}


def fake(model: str, text: str, voice: str | None, seed: int, runs: int) -> Iterator[dict]:
    for _ in range(runs):
        yield {
            name: Finished(seconds=seconds, cpu_seconds=1.0, peak_bytes=2**20, told=TOLD)
            for name, seconds in {"python": 0.1, "torch": 1.0, "import": 1.5, "say": 3.5}.items()
        }


def test_a_benchmark_prints_its_row_and_adds_it_to_a_file(
    tiny_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_say, "benchmark", fake)
    path = tmp_path / "say.jsonl"
    arguments = ["say", "--model", str(tiny_model_folder), "--runs", "2", "-o", str(path)]
    done = CliRunner().invoke(bench.app, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    row = json.loads(done.stdout)
    assert (row["model"], row["runs"]) == (tiny_model_folder.name, 2)
    assert row["provenance"]["seed"] == 0
    assert json.loads(path.read_text()) == row
    assert "real-time factor, whole" in done.stderr


def test_an_unknown_model_is_refused_before_anything_is_timed() -> None:
    with pytest.raises(ModelError, match="nobody"):
        CliRunner().invoke(bench.app, ["say", "--model", "nobody"], catch_exceptions=False)
