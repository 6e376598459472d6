import importlib.util
import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mini_libritts_tree import mini_libritts

from mamtra.audio.clip import Audio, write
from mamtra.corpus.prepare import PrepareConfig, Task, prepare
from mamtra.corpus.readers import libritts
from mamtra.corpus.shards import Shards
from mamtra.corpus.validate import validate
from mamtra.errors import ConfigError, CorpusError, MissingExtraError

CONFIG = PrepareConfig(longest=3.0, part=2)
REASONS = (
    "its text is empty",
    "as sound",
    "it lasts 0.05 s, not 0.3 to 3",
    "it is silent",
    "it lasts 4.00 s, not 0.3 to 3",
    "it has no text file",
    "as sound",
    "it lasts 0.00 s",
    "its samples are not all numbers",
    "its text cannot be read",
    "its end is missing",
)


def simple_encoder(model):
    """Twenty-five tokens a second, by loudness."""

    def extract(audio):
        pieces = torch.from_numpy(audio.at(16_000).samples).unfold(0, 640, 640)
        return (pieces.abs().mean(1) * 1000).long(), pieces.mean(0)[:4]

    return extract


def prepared(tree, folder, factory=simple_encoder, config=CONFIG, encoders="", **options):
    task = Task(folder=folder, factory=factory, model="m", config=config, encoders=encoders)
    return list(prepare(task, libritts(tree), **options))


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
    assert reasons.keys() == {f"1_11_0_{number}" for number in range(len(REASONS))}
    for number, reason in enumerate(REASONS):
        assert reason in reasons[f"1_11_0_{number}"]


def test_lengths_are_those_of_the_recordings(whole):
    for item, length in zip(Shards.open(whole), Shards.open(whole).lengths, strict=True):
        assert length == len(item.tokens) == int(item.seconds * 25 + 1e-6)


class OddError(Exception):
    """Such as a runtime for graphs raises: no parent that could be named."""


def moody_encoder(model):
    """Ears that fail on the second, third and fourth recording, each time otherwise."""
    moods = [None, RuntimeError("shapes"), OddError("graph"), MemoryError()]

    def extract(audio):
        mood = moods.pop(0) if moods else None
        if mood is not None:
            raise mood
        return simple_encoder(model)(audio)

    return extract


def ears_without_a_package(model):
    def extract(audio):
        raise MissingExtraError("this needs a package")

    return extract


def test_whatever_ears_raise_the_recording_is_listed_and_the_run_goes_on(tree, tmp_path):
    prepared(tree, tmp_path, moody_encoder)
    assert len(Shards.open(tmp_path)) == 3
    told = (tmp_path / "skipped.jsonl").read_text()
    assert all(reason in told for reason in ("RuntimeError: shapes", "OddError: graph", "Memory"))


def test_a_missing_package_is_not_taken_for_a_bad_recording(tree, tmp_path):
    with pytest.raises(MissingExtraError):
        prepared(tree, tmp_path, ears_without_a_package)
    assert not (tmp_path / "index.json").exists()


def test_a_part_that_lost_its_end_is_made_again(tree, whole, tmp_path):
    prepared(tree, tmp_path)
    path = tmp_path / "part-00001.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    prepared(tree, tmp_path)
    assert contents(tmp_path) == contents(whole)


def test_a_skipped_recording_is_tried_again_once_its_file_has_changed(tree, whole, tmp_path):
    corpus, folder = tmp_path / "tree", tmp_path / "shards"
    shutil.copytree(tree, corpus)
    receipts = prepared(corpus, folder)
    bad = next(
        Path(item["file"])
        for receipt in receipts
        for item in receipt["skipped"]
        if "as sound" in item["reason"]
    )
    before = contents(folder)
    assert prepared(corpus, folder) == receipts
    assert contents(folder) == before
    good = next(path for path in sorted(corpus.rglob("*.wav")) if path.stat().st_size > 20_000)
    mended = shutil.copy2(good, bad.with_name("whole"))  # an old date of writing
    os.replace(mended, bad)
    again = prepared(corpus, folder)
    skipped = [item["file"] for receipt in again for item in receipt["skipped"]]
    assert str(bad) not in skipped
    assert sum(one["utterances"] for one in again) == sum(one["utterances"] for one in receipts) + 1
    same = [path.name for path in folder.iterdir() if before.get(path.name) == path.read_bytes()]
    assert len(same) >= len(before) - 5  # the part's three files, index.json and skipped.jsonl
    assert validate(folder).problems == []


def test_another_plan_is_not_mixed_in(tree, whole, tmp_path):
    prepared(tree, tmp_path)
    with pytest.raises(CorpusError, match="begun with another longest; give the same"):
        prepared(tree, tmp_path, config=PrepareConfig(longest=5.0, part=2))
    with pytest.raises(CorpusError, match="begun with another teacher; give the same"):
        prepared(tree, tmp_path, encoders="others")
    with pytest.raises(CorpusError, match="another recordings"):
        prepared(tree / "dev-clean" / "..", tmp_path)
    assert contents(tmp_path) == contents(whole)


def test_a_name_that_is_no_utf_8_is_listed_and_the_others_are_prepared(tmp_path):
    folder = tmp_path / "LibriTTS" / "train-clean-100" / "1" / "2"
    folder.mkdir(parents=True)
    noise = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    for name in (os.fsdecode(b"1_2_\xe9.wav"), "1_2_b.wav"):
        write(folder / "a.wav", Audio(samples=noise, rate_hz=16_000)).rename(folder / name)
        (folder / name).with_suffix(".normalized.txt").write_text("Some words.")
    prepared(tmp_path / "LibriTTS", tmp_path / "out")
    assert [item.id for item in Shards.open(tmp_path / "out")] == ["1_2_b"]
    (line,) = (tmp_path / "out" / "skipped.jsonl").read_text().splitlines()
    assert "UnicodeEncodeError" in json.loads(line)["reason"] or "as sound" in line


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
def test_a_flipped_bit_is_found_and_the_part_made_again(tree, whole, tmp_path, name):
    prepared(tree, tmp_path)
    content = bytearray((tmp_path / name).read_bytes())
    content[-20] ^= 1
    (tmp_path / name).write_bytes(content)
    assert any("checksum" in problem for problem in validate(tmp_path).problems)
    prepared(tree, tmp_path)
    assert contents(tmp_path) == contents(whole)


def test_ids_beyond_the_vocabulary_are_found(whole):
    assert "not below 5" in validate(whole, vocabulary=5).problems[0]


def test_two_processes_give_the_same(tree, whole, tmp_path):
    prepared(tree, tmp_path, workers=2)
    assert contents(tmp_path) == contents(whole)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed")
@pytest.mark.filterwarnings("ignore")  # Ray's own, about what it will do in the future
def test_a_local_ray_cluster_gives_the_same(tree, whole, tmp_path):
    import ray

    # workers on Ray are new processes, and know neither this file nor an mamtra not installed
    known = {"PYTHONPATH": os.pathsep.join(sys.path)}
    options = {"include_dashboard": False, "log_to_driver": False}
    ray.init(num_cpus=2, runtime_env={"env_vars": known}, **options)
    try:
        prepared(tree, tmp_path / "good", workers=2, engine="ray")
        with pytest.raises(MissingExtraError):
            prepared(tree, tmp_path / "bad", ears_without_a_package, workers=2, engine="ray")
        assert ray.is_initialized(), "a cluster that the caller started is the caller's"
    finally:
        ray.shutdown()
    assert contents(tmp_path / "good") == contents(whole)


def test_without_ray_the_extra_is_named(tree, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"pip install .*\[ray\]'"):
        prepared(tree, tmp_path, engine="ray")
