"""What rounds say together, and the tables and pictures made of it."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from mamtra.benchmark.decode import rounds
from mamtra.benchmark.decode.config import BenchConfig
from mamtra.benchmark.decode.rounds import in_turn, summarise
from mamtra.benchmark.row import merged, ratio, spread, value_at
from mamtra.benchmark.tables import threads_of
from mamtra.cli import bench
from mamtra.errors import ConfigError, CorpusError, LayoutError
from mamtra.figures.draw import middle

SPEED = {"baseline": 6.0, "1:1": 60.0, "1:5": 66.0}


def fake(config: BenchConfig) -> dict[str, Any]:
    """A row as a worker would print it: speeds from the table, slower after longer contexts."""
    rate = SPEED.get(config.target, 30.0)
    row: dict[str, Any] = {
        "target": config.target,
        "layout": "AM",
        "engine": {"engine": "eager", "dtype": "int8", "threads": 2},
        "weight_bytes": 100,
        "prefill": [
            {"tokens": tokens, "tokens_per_second": 10 * rate, "seconds": 0.1}
            for tokens in config.prompts
        ],
        "decode": [],
    }
    for context in config.contexts:
        for batch in config.batches:
            cell = {"context": context, "batch": batch, "state_bytes": 50, "predicted_bytes": 50}
            if context == 999:
                cell = {"context": context, "batch": batch, "skipped": "needs more"}
            elif config.steps:
                slower = rate / (1 + context / 1000)
                cell |= {
                    "tokens_per_second": slower,
                    "times_real_time": slower / 25,
                    "seconds_per_step": 1 / slower,
                    "cpu_seconds_per_step": 2 / slower,
                    "tokens_per_cpu_second": slower / 2,
                    "share_of_bandwidth": 0.5,
                    "measured_bytes": 51,
                }
            row["decode"].append(cell)
    if config.spoken:
        row["memory"] = {
            "interpreter": 200,
            "weights_resident": 90,
            "states": 5,
            "activations_and_allocator": 10,
            "peak_speaking": 1000 if config.target == "baseline" else 305,
            "device": {"peak_allocated": 7},
        }
    if config.seconds:
        row["chain"] = {
            "seconds_of_speech": config.seconds,
            "prompt_tokens": 100,
            "real_time_factor": {"speech_lm": 0.5, "decoder": 0.4, "vocoder": 0.1},
            "stream": {
                "once_for_a_voice_seconds": 2.0,
                "first_audio_seconds": 0.3,
                "real_time_factor": 0.9,
                "cpu_real_time_factor": 1.7,
            },
        }
    return row


def result(config: BenchConfig, rounds: int = 3) -> dict[str, Any]:
    configs = config.of_each(["baseline", "1:1"])
    return summarise(list(in_turn(configs, rounds, fake)), "baseline")["1:1"]


@pytest.fixture
def faked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "in_turn", lambda configs, count: in_turn(configs, count, fake))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(bench.app, list(arguments), catch_exceptions=False)


def test_targets_take_turns_and_memory_is_watched_once() -> None:
    seen = []

    def note(config: BenchConfig) -> dict[str, Any]:
        seen.append((config.target, config.spoken))
        return {}

    list(in_turn(BenchConfig(spoken=9).of_each(["a", "b"]), 2, note))
    assert seen == [("a", 9), ("b", 9), ("a", 0), ("b", 0)]


def test_ratios_are_taken_within_a_round() -> None:
    mine, theirs = [{"x": [8.0]}, {"x": [2.0]}], [{"x": [4.0]}, {"x": [1.0]}]
    assert ratio(mine, theirs, ("x", 0)) == {"median": 2.0, "least": 2.0, "most": 2.0}
    assert ratio(mine, [], ("x", 0)) is None
    assert value_at({"x": "text"}, ("x",)) is None
    assert spread([0.00012345678])["median"] == 0.00012346


def test_rounds_are_merged_entry_by_entry() -> None:
    one = {"a": 1.0, "b": [{"c": 2}], "d": "x", "e": True, "only": 5}
    two = {"a": 3.0, "b": [{"c": 2}], "d": "x", "e": True}
    assert merged([one, two]) == {
        "a": {"median": 2.0, "least": 1.0, "most": 3.0},
        "b": [{"c": 2}],
        "d": "x",
        "e": True,
        "only": 5,
    }
    assert middle(merged([{"n": 1}, {"n": 5}])["n"]) == 3
    assert middle(7) == 7


def test_a_result_tells_speed_growth_and_memory_beside_the_baseline() -> None:
    told = result(BenchConfig(contexts=(250, 1000), prompts=(100,), spoken=5))
    assert told["decode"][0]["times_baseline"]["median"] == pytest.approx(10)
    assert told["decode"][0]["times_baseline_in_cpu_seconds"]["median"] == pytest.approx(10)
    assert told["growth_with_length"]["1"]["median"] == pytest.approx(2 / 1.25)
    assert told["growth_in_cpu_seconds"] == told["growth_with_length"]
    assert told["memory"]["of_baseline"]["median"] == pytest.approx(0.305)
    assert told["memory"]["device"]["peak_allocated"] == 7
    assert told["prefill"][0]["times_baseline"]["median"] == pytest.approx(10)


def test_what_was_left_out_is_told() -> None:
    told = result(BenchConfig(contexts=(999,)))
    assert told["decode"] == [{"context": 999, "batch": 1, "skipped": "needs more"}]
    assert "growth_with_length" not in told


@pytest.mark.usefixtures("faked")
@pytest.mark.parametrize(
    ("options", "words", "picture"),
    [
        (["--targets", "1:0,1:5", "--contexts", "250,999"], "left out: needs more", "speed"),
        (["--steps", "0", "--spoken", "9"], "of base", "memory"),
        (["--contexts", "250,1000", "--rounds", "2"], "x base", "length"),
        (["--seconds", "2", "--targets", f"{'AM' * 12}"], "first audio after 0.3 s", "speed"),
    ],
)
def test_the_command_shows_a_table_keeps_its_row_and_draws(
    options: list[str], words: str, picture: str, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    kept, drawn = tmp_path / "rows.jsonl", tmp_path / "picture.png"
    common = ["--model", "toy", "-o", str(kept), "--figure", str(drawn)]
    done = run("decode", *options, *common)
    assert done.exit_code == 0
    assert words in " ".join(done.stdout.split())
    assert "{" not in done.stdout
    row = json.loads(kept.read_text())
    assert list(row) == ["benchmark", "settings", "rounds", "results", "provenance"]
    assert row["provenance"]["machine"]["cores"] >= 1
    assert json.loads(drawn.with_suffix(".json").read_text()) == row
    assert drawn.stat().st_size > 1000
    again = tmp_path / "again.png"
    assert (
        run("decode", "--kept", str(kept), "--figure", str(again), "--what", picture).exit_code == 0
    )
    assert again.read_bytes() == drawn.read_bytes()


@pytest.mark.usefixtures("faked")
def test_wrong_values_are_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="250,1000"):
        run("decode", "--contexts", "long")
    with pytest.raises(ConfigError, match=r"--targets: baseline, own, 1:0"):
        run("decode", "--targets", ",")
    with pytest.raises(ConfigError, match=r"target 'fast'.*known: baseline, own, 1:0"):
        run("decode", "--targets", "1:0,fast")
    with pytest.raises(LayoutError, match="has 4 letters and the model 24 layers"):
        run("decode", "--targets", "AMMM")
    place = tmp_path / "file"
    place.write_text("")
    with pytest.raises(CorpusError, match="cannot add the row"):
        run("decode", "--model", "toy", "-o", str(place / "x.jsonl"))


def test_what_cannot_be_drawn_is_one_sentence(tmp_path: Path) -> None:
    path, picture = tmp_path / "rows.jsonl", str(tmp_path / "a.png")
    with pytest.raises(CorpusError, match="cannot read rows"):
        run("decode", "--kept", str(path), "--figure", picture)
    path.write_text("")
    with pytest.raises(CorpusError, match="holds no row"):
        run("decode", "--kept", str(path), "--figure", picture)
    path.write_text('{"benchmark": "say"}\n')
    with pytest.raises(CorpusError, match=r"line 1 .* is no row"):
        run("decode", "--kept", str(path), "--figure", picture)
    row: dict[str, Any] = {key: {} for key in ("settings", "rounds", "results")}
    row["provenance"] = {"machine": {"cpu": "none", "threads": 1, "load": 0}}
    path.write_text(json.dumps({"benchmark": "speak", **row}) + "\n")
    with pytest.raises(ConfigError, match="a row of speak has no picture"):
        run("decode", "--kept", str(path), "--figure", picture)
    with pytest.raises(ConfigError, match="has 1 rows; --row 2"):
        run("decode", "--kept", str(path), "--figure", picture, "--row", "2")


def test_a_table_tells_the_threads_that_computed() -> None:
    def row(asked: int, *taken: int) -> dict[str, Any]:
        results = {str(n): {"engine": {"threads": n}} for n in taken}
        machine = {"machine": {"threads": 8}}
        return {"settings": {"threads": asked}, "results": results, "provenance": machine}

    assert threads_of(row(1, 2)) == "1"
    assert threads_of(row(0, 2, 1)) == "1 or 2"
    assert threads_of(row(0)) == "8"


RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"


@pytest.mark.parametrize("name", ["compare", "length", "memory", "batches", "chain-speed"])
def test_committed_rows_can_be_shown_and_drawn(name: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from mamtra.benchmark.row import read_rows
    from mamtra.benchmark.tables import bench_table
    from mamtra.figures.draw import draw

    for row in read_rows(RESULTS / f"{name}.jsonl"):
        assert bench_table(row).row_count >= len(row["results"])
        draw(row, tmp_path / "a.png")
