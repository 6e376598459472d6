"""Weights on disk: our writer against safetensors' reader, and shards that are what they say."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

from mamtra.checkpoints import weights as module
from mamtra.checkpoints.modules import load_part, save_part
from mamtra.checkpoints.shards import INDEX, all_files, weight_files
from mamtra.checkpoints.weights import filled_shards, read_tensors, write_tensors, write_weights
from mamtra.errors import CheckpointError

TENSORS = {
    "flags": torch.tensor([True, False, True]),
    "half": torch.randn(3, 5).to(torch.bfloat16),
    "one": torch.tensor(7),
    "nothing": torch.zeros(0, 4),
    "turned": torch.arange(12.0).reshape(3, 4).T,
    "wide": torch.randn(2, 3, dtype=torch.float64),
}


def test_another_reader_reads_what_we_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PIECE", 5)
    write_tensors(TENSORS, tmp_path / "a.safetensors", {"note": "ä"})
    found = load_file(tmp_path / "a.safetensors")
    assert set(found) == set(TENSORS)
    for name, tensor in TENSORS.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)
    with safe_open(str(tmp_path / "a.safetensors"), "pt") as file:
        assert file.metadata() == {"note": "ä"}


def test_floats_are_rounded_and_other_numbers_are_not(tmp_path: Path) -> None:
    write_tensors(TENSORS, tmp_path / "a.safetensors", dtype=torch.float16)
    found = load_file(tmp_path / "a.safetensors")
    assert found["wide"].dtype == torch.float16
    assert torch.equal(found["wide"], TENSORS["wide"].half())
    assert found["one"].dtype == torch.int64


def test_tensors_fill_shards_in_order() -> None:
    sizes = {"a": 4, "b": 4, "c": 20, "d": 1, "e": 8}
    assert filled_shards(sizes, 9) == [["a", "b"], ["c"], ["d", "e"]]
    assert filled_shards({}, 9) == [[]]


def part() -> nn.ModuleList:
    """Six tensors of 40 to 80 bytes."""
    torch.manual_seed(1)
    return nn.ModuleList([nn.Linear(4, 5) for _ in range(3)])


@pytest.fixture
def sharded(tmp_path: Path) -> Path:
    """A part in three shards."""
    save_part(part(), tmp_path / "a.safetensors", torch.float32, shard_bytes=100)
    return tmp_path / "a.safetensors"


def test_shards_have_the_names_and_the_index_that_others_use(sharded: Path) -> None:
    index = json.loads(sharded.with_name(sharded.name + INDEX).read_text())
    assert index["metadata"] == {"total_size": 300}
    assert index["weight_map"]["1.bias"] == "a-00002-of-00003.safetensors"
    assert [path.name for path in weight_files(sharded)] == [
        f"a-0000{number}-of-00003.safetensors" for number in (1, 2, 3)
    ]
    assert len(all_files(sharded)) == 4
    assert {path.name for path in sharded.parent.iterdir()} == {
        path.name for path in all_files(sharded)
    }


def test_shards_fill_a_part_like_one_file(sharded: Path) -> None:
    module = nn.ModuleList([nn.Linear(4, 5) for _ in range(3)])
    load_part(module, sharded)
    for ours, theirs in zip(module.parameters(), part().parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert read_tensors(sharded).keys() == part().state_dict().keys()


def test_what_was_written_before_goes(sharded: Path) -> None:
    save_part(part(), sharded)
    assert [path.name for path in sharded.parent.iterdir()] == ["a.safetensors"]
    save_part(part(), sharded, torch.float32, shard_bytes=1)
    assert len(weight_files(sharded)) == 6
    assert not sharded.exists()


def test_a_shard_that_is_missing_or_foreign_is_named(sharded: Path) -> None:
    second = sharded.with_name("a-00002-of-00003.safetensors")
    tensors = load_file(second)
    write_tensors(tensors | {"left.over": torch.zeros(1)}, second)
    with pytest.raises(CheckpointError, match=r"left\.over in a-00002.* is not in the index"):
        read_tensors(sharded)
    write_tensors({"1.weight": tensors["1.weight"]}, second)
    with pytest.raises(CheckpointError, match=r"1\.bias is not in a-00002"):
        read_tensors(sharded)
    second.unlink()
    with pytest.raises(CheckpointError, match=r"a-00002-of-00003\.safetensors': no such file"):
        read_tensors(sharded)


def test_two_forms_of_one_part_are_refused(sharded: Path) -> None:
    write_tensors({"a": torch.zeros(1)}, sharded)
    with pytest.raises(CheckpointError, match=r"both in .*; remove the one"):
        read_tensors(sharded)


@pytest.mark.parametrize("text", ["{}", "[]", "not json", '{"weight_map": {"a": "../b"}}'])
def test_a_damaged_index_is_named(text: str, sharded: Path) -> None:
    sharded.with_name(sharded.name + INDEX).write_text(text)
    with pytest.raises(CheckpointError, match=r"a\.safetensors\.index\.json"):
        read_tensors(sharded)


def test_a_pointer_of_git_lfs_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid 1")
    with pytest.raises(CheckpointError, match="Git LFS pointer; run git lfs pull"):
        read_tensors(tmp_path / "a.safetensors")


def test_a_number_too_large_leaves_no_shard_half_written(tmp_path: Path) -> None:
    tensors = {"a": torch.ones(4), "b": torch.full((4,), 1e6)}
    with pytest.raises(CheckpointError, match="b holds values"):
        write_weights(tensors, tmp_path / "a.safetensors", torch.float16)
    assert not list(tmp_path.iterdir())
