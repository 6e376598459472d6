"""The gate that every change must pass: nano is not understood worse than the kept row says."""

import json
from importlib import metadata
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mamtra.cli.evaluate import app

BASELINE = Path(__file__).parents[2] / "benchmarks" / "results" / "gate-nano.json"


def test_nano_is_not_understood_worse_than_before() -> None:
    pytest.importorskip("pocketsphinx")
    (judge,) = json.loads(BASELINE.read_text())["judges"]
    if metadata.version("pocketsphinx") != judge["version"]:
        pytest.skip(f"the row was judged by pocketsphinx {judge['version']}")
    done = CliRunner().invoke(app, ["gate", "--baseline", str(BASELINE), "--model", "nano"])
    assert done.exit_code == 0, done.output
    assert "not worse" in done.output
