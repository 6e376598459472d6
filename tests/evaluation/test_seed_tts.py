"""Whole test sets: the command, parts of a set, baselines."""

import importlib.util
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from typer.testing import CliRunner, Result

from mamtra.audio.clip import Audio, write
from mamtra.cli.evaluate import app
from mamtra.errors import ConfigError
from mamtra.workers import shard_of

pytest.importorskip("pocketsphinx")

ROWS = "one|Hello there.\ntwo|Good morning.\nthree|See you soon.\n"


def run(*arguments: str) -> Result:
    done = CliRunner().invoke(app, ["seed-tts", *arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done


@pytest.fixture
def meta(tmp_path: Path) -> Path:
    (tmp_path / "en").mkdir()
    path = tmp_path / "en" / "meta.lst"
    path.write_text(ROWS)
    return path


def part_weights(folder: Path) -> list[np.ndarray]:
    """The tensors of the language model."""
    return list(load_file(folder / "speech_lm.safetensors").values())


def scores(folder: Path) -> dict:
    return json.loads((folder / "scores.json").read_text())


def test_parts_of_a_set_meet_in_one_folder(
    tiny_model_folder: Path, meta: Path, tmp_path: Path
) -> None:
    common = [str(tiny_model_folder), "--set", str(meta), "--judge", "pocketsphinx:choice"]
    for part in ("1/2", "2/2"):
        done = run(*common, "-o", str(tmp_path / "parts"), "--shard", part)
        assert f"part {part[0]} of 2" in done.stdout
    run(*common, "-o", str(tmp_path / "parts"))
    run(*common, "-o", str(tmp_path / "whole"))
    together, whole = scores(tmp_path / "parts"), scores(tmp_path / "whole")
    for told in (together, whole):
        for figures in told["systems"].values():
            figures.pop("times_real_time")  # each clip was timed on its own
    assert together["systems"] == whole["systems"]
    assert together["weights"] == whole["weights"]
    parameters = sum(weights.size for weights in part_weights(tiny_model_folder))
    assert whole["parameters"] == {tiny_model_folder.name: parameters}
    assert not (tmp_path / "parts" / "said.jsonl").exists()


def test_recordings_are_compared_with_a_model_line_by_line(
    tiny_model_folder: Path, meta: Path, tmp_path: Path
) -> None:
    import mamtra

    (tmp_path / "theirs").mkdir()
    synthesizer = mamtra.load(tiny_model_folder)
    for row in ROWS.splitlines()[:2]:
        name, text = row.split("|")
        speech = synthesizer.say(text, seed=9)
        write(
            tmp_path / "theirs" / f"{name}.wav", Audio(samples=speech.samples, rate_hz=speech.rate)
        )
    common = ["--set", str(meta), "--wavs", str(tmp_path / "theirs"), "--runs", "2"]
    judge = ["--judge", "pocketsphinx:choice", "-o", str(tmp_path / "out")]
    done = run(str(tiny_model_folder), *common, *judge, "--baseline", "theirs")
    assert "over baseline" in done.stdout
    told = scores(tmp_path / "out")
    ours, theirs = (told["systems"][name] for name in (tiny_model_folder.name, "theirs"))
    assert (ours["runs"], theirs["runs"]) == (2, 1)
    assert ours["baseline"] == "theirs"
    assert theirs["failed"] == [{"line": "three", "run": 0, "why": "missing"}]
    assert told["profile"] == "seed-tts"
    assert len(ours["wrong_by_line"]["pocketsphinx choice"]) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--profile", "mine"], "known: spoken, seed-tts, f5, leaderboard"),
        (["--language", "de"], "no rule for language 'de'; it knows en, zh"),
        (["--shard", "3/2"], "not of the form 2/4"),
        (["--shard", "1/2"], "add -o FOLDER"),
        ([], "nothing to evaluate"),
    ],
)
def test_what_cannot_be_is_one_sentence(meta: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run("--set", str(meta), *arguments)


def test_an_unknown_baseline_is_refused_with_the_known_ones(
    tiny_model_folder: Path, meta: Path
) -> None:
    with pytest.raises(ConfigError, match=f"no system 'x'; there are: {tiny_model_folder.name}"):
        run(str(tiny_model_folder), "--set", str(meta), "--baseline", "x")


def test_no_shard_is_the_whole() -> None:
    assert shard_of(None) == (1, 1)
    assert shard_of("2/4") == (2, 4)


def without_times(told: dict) -> dict:
    """The figures, but for how long each clip took."""
    for figures in told["systems"].values():
        figures.pop("times_real_time")
    return told["systems"]


def test_several_processes_find_what_one_finds(
    tiny_model_folder: Path, meta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mamtra.evaluation import order

    monkeypatch.setattr(order, "LINES_OF_PART", 1)
    common = [str(tiny_model_folder), "--set", str(meta), "--judge", "pocketsphinx:choice"]
    run(*common, "-o", str(tmp_path / "one"))
    run(*common, "-o", str(tmp_path / "two"), "--workers", "2")
    assert without_times(scores(tmp_path / "one")) == without_times(scores(tmp_path / "two"))
    assert len(list((tmp_path / "two").glob("said-1of1-*.jsonl"))) == 3


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed")
@pytest.mark.slow
def test_a_local_ray_cluster_finds_what_one_process_finds(
    tiny_model_folder: Path, meta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    from mamtra.evaluation import order
    from mamtra.workers import RAY_OPTIONS

    monkeypatch.setattr(order, "LINES_OF_PART", 1)
    common = [str(tiny_model_folder), "--set", str(meta), "--judge", "pocketsphinx:choice"]
    run(*common, "-o", str(tmp_path / "one"))
    paths = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    ray.init(num_cpus=2, runtime_env={"env_vars": paths}, **RAY_OPTIONS)
    try:
        run(*common, "-o", str(tmp_path / "two"), "--workers", "2", "--engine", "ray")
        assert ray.is_initialized(), "a cluster that the caller started is the caller's"
    finally:
        ray.shutdown()
    assert without_times(scores(tmp_path / "one")) == without_times(scores(tmp_path / "two"))


def test_workers_need_a_folder_and_a_known_engine(meta: Path) -> None:
    with pytest.raises(ConfigError, match="add -o FOLDER"):
        run("--set", str(meta), "--workers", "2")
    with pytest.raises(ConfigError, match="unknown engine 'magic'; known: processes, ray"):
        run("--set", str(meta), "--engine", "magic")
