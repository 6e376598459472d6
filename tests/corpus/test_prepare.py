import importlib.util
import json
import multiprocessing
import os
import signal

import pytest
import torch
from mini_libritts_tree import mini_libritts

from mamtra.corpus.prepare import PrepareConfig, Task, prepare
from mamtra.corpus.readers import libritts
from mamtra.corpus.shards import Shards
from mamtra.corpus.validate import validate
from mamtra.errors import ConfigError, CorpusError

CONFIG = PrepareConfig(longest=3.0, part=2)


def simple_ears(model):
    """Twenty-five tokens a second, by loudness."""

    def extract(audio):
        pieces = torch.from_numpy(audio.at(16_000).samples).unfold(0, 640, 640)
        return (pieces.abs().mean(1) * 1000).long(), pieces.mean(0)[:4]

    return extract


def deadly_ears(model):
    """Ears whose process is killed when it hears the fourth recording."""
    heard = []

    def extract(audio):
        heard.append(audio)
        if len(heard) == 4:
            os.kill(os.getpid(), signal.SIGKILL)
        return simple_ears(model)(audio)

    return extract


def prepared(tree, folder, factory=simple_ears, config=CONFIG, **options):
    task = Task(folder=folder, factory=factory, model="m", config=config)
    return list(prepare(task, libritts(tree), **options))


def run_deadly(tree, folder):
    prepared(tree, folder, deadly_ears)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return mini_libritts(tmp_path_factory.mktemp("tree"))


@pytest.fixture(scope="module")
def whole(tree, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    prepared(tree, folder)
    return folder


def test_good_recordings_are_kept_and_bad_ones_named(whole):
    shards = Shards.open(whole)
    assert sorted(item.text for item in shards) == [
        "Five.", "Four.", "One.", "Six.", "Three.", "Two, naïve — 你好.",
    ]  # fmt: skip
    lines = [json.loads(line) for line in (whole / "skipped.jsonl").read_text().splitlines()]
    reasons = {line["id"]: line["reason"] for line in lines}
    assert reasons.keys() == {f"1_11_0_{number}" for number in range(5)}
    assert "empty" in reasons["1_11_0_0"]
    assert "AudioError" in reasons["1_11_0_1"]
    assert "lasts 0.05 s" in reasons["1_11_0_2"]
    assert "silent" in reasons["1_11_0_3"]
    assert "lasts 4.00 s" in reasons["1_11_0_4"]


def test_lengths_are_those_of_the_recordings(whole):
    for item, length in zip(Shards.open(whole), Shards.open(whole).lengths, strict=True):
        assert length == len(item.tokens) == int(item.seconds * 25 + 1e-6)


def test_a_killed_run_goes_on_and_gives_the_same(tree, whole, tmp_path):
    process = multiprocessing.get_context("fork").Process(target=run_deadly, args=(tree, tmp_path))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    with pytest.raises(CorpusError, match="no finished shards"):
        Shards.open(tmp_path)
    first = (tmp_path / "part-00000.json").stat().st_mtime_ns
    prepared(tree, tmp_path)
    assert (tmp_path / "part-00000.json").stat().st_mtime_ns == first
    assert contents(tmp_path) == contents(whole)


def test_a_part_that_lost_its_end_is_made_again(tree, whole, tmp_path):
    prepared(tree, tmp_path)
    path = tmp_path / "part-00001.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    prepared(tree, tmp_path)
    assert contents(tmp_path) == contents(whole)


def test_another_plan_is_not_mixed_in(tree, tmp_path):
    prepared(tree, tmp_path)
    with pytest.raises(CorpusError, match="other longest"):
        prepared(tree, tmp_path, config=PrepareConfig(longest=5.0, part=2))


def test_an_unknown_engine_is_refused(tree, tmp_path):
    with pytest.raises(ConfigError, match="processes, ray"):
        prepared(tree, tmp_path, engine="threads")


def test_whole_shards_have_no_problem(whole):
    found = validate(whole)
    assert found.problems == []
    assert found.statistics["utterances"] == 6
    assert found.statistics["speakers"] == 5
    assert found.statistics["splits"] == {"train": 4, "validation": 1, "test": 1}


@pytest.mark.parametrize("name", ["part-00000.safetensors", "part-00000.jsonl"])
def test_a_flipped_bit_is_found(tree, tmp_path, name):
    prepared(tree, tmp_path)
    content = bytearray((tmp_path / name).read_bytes())
    content[-20] ^= 1
    (tmp_path / name).write_bytes(content)
    assert any("checksum" in problem for problem in validate(tmp_path).problems)


def test_ids_beyond_the_vocabulary_are_found(whole):
    assert "not below 5" in validate(whole, vocabulary=5).problems[0]


@pytest.mark.slow
def test_two_processes_give_the_same(tree, whole, tmp_path):
    prepared(tree, tmp_path, workers=2)
    assert contents(tmp_path) == contents(whole)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed")
@pytest.mark.filterwarnings("ignore")
def test_a_local_ray_cluster_gives_the_same(tree, whole, tmp_path):
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        prepared(tree, tmp_path, workers=2, engine="ray")
    finally:
        ray.shutdown()
    assert contents(tmp_path) == contents(whole)
