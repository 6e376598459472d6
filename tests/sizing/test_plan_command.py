"""``mamtra plan`` as a person and as a script meet it."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from mamtra.cli.plan import plan
from mamtra.errors import ConfigError, LayoutError


def call(*arguments: str) -> str:
    """What the command prints."""
    app = typer.Typer()
    app.command()(plan)
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_a_plan_names_every_part_and_what_fits() -> None:
    told = call("--ratio", "1:5", "--seconds", "600", "--streams", "32", "--card", "h100")
    for part in ("speech LM", "decoder", "vocoder", "keys and values", "scan states", "total"):
        assert part in told
    assert "h100 (75.4 GiB usable): fits" in told
    assert "462 tokens (242 if" in told


def test_a_script_gets_one_line_whose_parts_add_up() -> None:
    row = json.loads(call("--model", "toy", "--ratio", "1:1", "--card", "24 GiB", "--json"))
    parts = [*row["weights"].values(), row["key_values"], row["scans"], row["activations"]]
    assert row["total"] == sum(parts)
    assert row["cards"]["24 GiB"]["fits"] is True


def test_a_figure_has_its_rows_beside_it(tmp_path: Path) -> None:
    picture = tmp_path / "growth.png"
    call("--model", "toy", "--figure", str(picture))
    rows = json.loads(picture.with_suffix(".json").read_text())
    assert picture.stat().st_size > 1000
    assert {"1:0", "1:1", "1:5", "1:5-grouped"} <= set(rows["curves"])
    long = {shape: curve["bytes"][-1] for shape, curve in rows["curves"].items()}
    assert long["1:0"] > long["1:1"] > long["1:5"] > long["1:11"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["growth.json", "growth.png"]


def test_a_figure_that_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no folder"):
        call("--model", "toy", "--figure", str(tmp_path / "none" / "a.png"))
    with pytest.raises(ConfigError, match=r"suffix may be \.png"):
        call("--model", "toy", "--figure", str(tmp_path / "a.txt"))


def test_operations_are_counted_both_ways_and_a_layout_may_be_written_out() -> None:
    written = call("--layout", "AM" * 12)
    assert "1.64 TFLOPs for a forward over 2,000 positions" in written
    assert written == call("--ratio", "1:1")
    row = json.loads(call("--model", "toy", "--json"))
    assert 0 < row["token_operations"] < row["paper_operations"]
    with pytest.raises(ConfigError, match="both give the layers"):
        call("--ratio", "1:1", "--layout", "AM" * 12)
    with pytest.raises(LayoutError, match="has 4 letters and the model 24 layers"):
        call("--layout", "AMMM")
