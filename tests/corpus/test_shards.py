import errno
import json

import pytest
import torch

from mamtra.corpus.shards import Prepared, Shards, ShardWriter, write_index
from mamtra.errors import CorpusError


def utterance(number, tokens, split="train"):
    return Prepared(
        id=f"u{number}",
        text=f"Žluťoučký {number}\u2028kůň",
        speaker="s",
        split=split,
        seconds=1.5,
        tokens=torch.tensor(tokens, dtype=torch.int64),
        vector=torch.full((4,), number / 2),
    )


def written(folder):
    receipts = []
    for name, items in (
        ("part-00000", [utterance(0, [1, 2, 3]), utterance(1, [], "test")]),
        ("part-00001", []),
        ("part-00002", [utterance(2, [40_000, 7])]),
    ):
        writer = ShardWriter(folder, name)
        for item in items:
            writer.add(item)
        receipts.append(writer.close())
    write_index(folder, receipts, "teacher")
    return folder


def test_what_was_written_is_read(tmp_path):
    shards = Shards.open(written(tmp_path))
    assert len(shards) == 3
    assert shards.lengths.tolist() == [3, 0, 2]
    assert shards[0].tokens.tolist() == [1, 2, 3]
    assert shards[0].text == "Žluťoučký 0\u2028kůň"
    assert shards[2].tokens.tolist() == [40_000, 7]
    assert shards[2].vector.tolist() == [1, 1, 1, 1]


def test_one_split_can_be_taken(tmp_path):
    assert [item.id for item in Shards.open(written(tmp_path), "test")] == ["u1"]


def test_a_folder_without_an_index_is_refused(tmp_path):
    with pytest.raises(CorpusError, match="no finished shards"):
        Shards.open(tmp_path)


def test_a_missing_line_is_noticed(tmp_path):
    path = written(tmp_path) / "part-00000.jsonl"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    with pytest.raises(CorpusError, match="do not fit"):
        Shards.open(tmp_path)


def test_a_full_disk_is_told_and_leaves_what_was_there(tmp_path, monkeypatch):
    written(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("mamtra.atomic.os.fsync", full)
    writer = ShardWriter(tmp_path, "part-00000")
    writer.add(utterance(9, [9]))
    with pytest.raises(CorpusError, match=r"cannot write .*part-00000.safetensors.*No space left"):
        writer.close()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_index_of_another_version_is_refused(tmp_path):
    path = written(tmp_path) / "index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 9}))
    with pytest.raises(CorpusError, match="version 1"):
        Shards.open(tmp_path)
