"""What rounds say together, and the pictures and tables made of it."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mamtra.benchmark.bench_config import Case
from mamtra.benchmark.rounds import by_name, in_turn, ratio_at, spread, spread_at, value_at
from mamtra.benchmark.summary import summarise
from mamtra.cli import bench, bench_run
from mamtra.errors import ConfigError, CorpusError

SPEED = {"yardstick": 6.0, "1:1": 60.0, "1:5": 66.0}


def fake(case: Case) -> dict[str, Any]:
    """A row as a worker would print it: speeds from the table, slower after longer contexts."""
    rate = SPEED.get(case.subject, 30.0)
    row = {
        "subject": case.subject,
        "layout": "AM",
        "engine": {"engine": "eager", "dtype": "int8", "threads": 2},
        "weight_bytes": 100,
        "prefill": [
            {"tokens": tokens, "tokens_per_second": 10 * rate, "seconds": {"median": 0.1}}
            for tokens in case.prompts
        ],
        "decode": [],
    }
    for context in case.contexts:
        for batch in case.batches:
            cell = {"context": context, "batch": batch, "state_bytes": 50, "predicted_bytes": 50}
            if context == 999:
                cell = {"context": context, "batch": batch, "skipped": "needs more"}
            elif case.steps:
                slower = rate / (1 + context / 1000)
                cell |= {
                    "tokens_per_second": slower,
                    "times_real_time": slower / 25,
                    "seconds_per_step": {"median": 1 / slower},
                    "cpu_seconds_per_step": 2 / slower,
                    "tokens_per_cpu_second": slower / 2,
                    "share_of_bandwidth": 0.5,
                    "measured_bytes": 51,
                }
            row["decode"].append(cell)
    if case.spoken:
        row["memory"] = {
            "interpreter": 200,
            "weights": 100,
            "weights_resident": 90,
            "states": 5,
            "activations_and_allocator": 10,
            "peak_loading": 400,
            "peak_speaking": 1000 if case.subject == "yardstick" else 305,
            "device": {"peak_allocated": 7},
        }
    if case.seconds:
        row["chain"] = {
            "seconds_of_speech": case.seconds,
            "prompt_tokens": 100,
            "real_time_factor": {"speech_lm": 0.5, "decoder": 0.4, "vocoder": 0.1},
            "first_audio_seconds": {"median": 0.3},
        }
    return row


def summary(case: Case, rounds: int = 3) -> dict[str, Any]:
    cases = case.of_each(["yardstick", "1:1"])
    return summarise(by_name(list(in_turn(cases, rounds, fake))), "yardstick")


def test_cases_take_turns_and_memory_is_watched_once() -> None:
    seen = []

    def note(case: Case) -> dict[str, Any]:
        seen.append((case.subject, case.spoken))
        return {}

    list(in_turn(Case(spoken=9).of_each(["a", "b"]), 2, note))
    assert seen == [("a", 9), ("b", 9), ("a", 0), ("b", 0)]


def test_ratios_are_taken_within_a_round() -> None:
    mine, theirs = [{"x": [8.0]}, {"x": [2.0]}], [{"x": [4.0]}, {"x": [1.0]}]
    assert ratio_at(mine, theirs, ("x", 0)) == {"median": 2.0, "least": 2.0, "most": 2.0}
    assert spread_at(mine, ("x", 0)) == {"median": 5.0, "least": 2.0, "most": 8.0}
    assert spread_at(mine, ("y",)) is None
    assert value_at({"x": "text"}, ("x",)) is None
    assert spread([0.00012345678])["median"] == 0.00012346


def test_a_line_tells_speed_growth_and_memory_beside_the_reference() -> None:
    line = summary(Case(contexts=(250, 1000), prompts=(100,), spoken=5))["1:1"]
    assert line["decode"][0]["times_reference"]["median"] == pytest.approx(10)
    assert line["growth_with_length"]["1"]["median"] == pytest.approx(2 / 1.25)
    assert line["growth_in_cpu_seconds"] == line["growth_with_length"]
    assert line["decode"][0]["times_reference_in_cpu_seconds"]["median"] == pytest.approx(10)
    assert line["memory"]["of_reference"]["median"] == pytest.approx(0.305)
    assert line["memory"]["device"]["peak_allocated"]["median"] == 7
    assert line["prefill"][0]["times_reference"]["median"] == pytest.approx(10)


def test_what_was_left_out_is_told() -> None:
    line = summary(Case(contexts=(999,)))["1:1"]
    assert line["decode"] == [{"context": 999, "batch": 1, "skipped": "needs more"}]
    assert "growth_with_length" not in line


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["speed", "--shapes", "1:0,1:5", "--contexts", "250,999"], "first audio, s"),
        (["memory", "--shapes", "yardstick,1:1"], "peak speaking"),
        (["compare", "--contexts", "250,1000", "--rounds", "2"], "1, growth 1.6 1.6"),
    ],
)
def test_a_command_prints_a_row_shows_a_table_and_draws(
    command: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_run, "in_turn", lambda cases, rounds: in_turn(cases, rounds, fake))
    kept, picture = tmp_path / "rows.jsonl", tmp_path / "picture.png"
    arguments = [*command, "--model", "toy", "-o", str(kept), "--figure", str(picture)]
    done = CliRunner().invoke(bench.app, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    row = json.loads(done.stdout)
    assert row["benchmark"] == command[0]
    assert row["provenance"]["machine"]["cores"] >= 1
    assert json.loads(kept.read_text()) == row
    assert json.loads(picture.with_suffix(".json").read_text()) == row
    assert picture.stat().st_size > 1000
    assert words in " ".join(done.stderr.split())


def test_wrong_lists_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="250,1000"):
        CliRunner().invoke(bench.app, ["speed", "--contexts", "long"], catch_exceptions=False)
    with pytest.raises(ConfigError, match="no shape"):
        CliRunner().invoke(bench.app, ["compare", "--shapes", ","], catch_exceptions=False)
    monkeypatch.setattr(bench_run, "in_turn", lambda cases, rounds: in_turn(cases, rounds, fake))
    place = tmp_path / "file"
    place.write_text("")
    with pytest.raises(CorpusError, match="cannot add the row"):
        CliRunner().invoke(
            bench.app, ["memory", "-o", str(place / "x.jsonl")], catch_exceptions=False
        )
