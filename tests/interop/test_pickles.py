"""Checkpoints of others: what is wrong with a file is told in one sentence."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from mamtra.errors import CheckpointError
from mamtra.interop.pickles import read_entries

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "epoch": 3}


class Trap:
    def __reduce__(self) -> tuple:
        return (eval, ("1/0",))


def refused(path: Path) -> str:
    """The one sentence that reading a file ends with."""
    with pytest.raises(CheckpointError) as caught:
        read_entries(path)
    told = str(caught.value)
    assert "\n" not in told
    assert not told.endswith(".")
    assert path.name in told
    return told


@pytest.mark.parametrize("zipped", [True, False])
def test_files_old_and_new_are_read(zipped: bool, tmp_path: Path) -> None:
    torch.save(TENSORS, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    entries = read_entries(tmp_path / "a.pt")
    assert torch.equal(entries["a.weight"], TENSORS["a.weight"])
    assert entries["epoch"] == 3


def test_a_download_cut_short_is_told_apart(tmp_path: Path) -> None:
    torch.save(TENSORS, tmp_path / "a.pt")
    whole = (tmp_path / "a.pt").read_bytes()
    (tmp_path / "a.pt").write_bytes(whole[: len(whole) // 2])
    assert "cut short" in refused(tmp_path / "a.pt")
    torch.save(TENSORS, tmp_path / "b.pt", _use_new_zipfile_serialization=False)
    whole = (tmp_path / "b.pt").read_bytes()
    for kept in (len(whole) // 3, len(whole) - 8):
        (tmp_path / "b.pt").write_bytes(whole[:kept])
        assert "damaged" in refused(tmp_path / "b.pt")


def test_a_flipped_bit_inside_a_tensor_is_seen(tmp_path: Path) -> None:
    torch.save(TENSORS, tmp_path / "a.pt")
    content = bytearray((tmp_path / "a.pt").read_bytes())
    content[content.find(TENSORS["a.weight"].numpy().tobytes()) + 6] ^= 1
    (tmp_path / "a.pt").write_bytes(content)
    assert "the checksum of" in refused(tmp_path / "a.pt")


def test_code_in_a_pickle_does_not_run(tmp_path: Path) -> None:
    torch.save({"a": Trap()}, tmp_path / "a.pt")
    assert "a pickle may run any code" in refused(tmp_path / "a.pt")


def test_safetensors_folders_and_nothing_are_told_apart(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(2)}, tmp_path / "a.pt")
    assert "is a safetensors file" in refused(tmp_path / "a.pt")
    assert "is a folder" in refused(tmp_path)
    assert "no such file" in refused(tmp_path / "b.pt")


def test_other_things_than_named_tensors_are_refused(tmp_path: Path) -> None:
    torch.save([torch.zeros(1)], tmp_path / "a.pt")
    assert "holds a list, not named tensors" in refused(tmp_path / "a.pt")
    torch.save({"model": {"a": torch.zeros(1)}, "lr": 0.1}, tmp_path / "a.pt")
    told = "no named, dense tensors: model, lr; give the plain state dict"
    assert told in refused(tmp_path / "a.pt")
    for odd in ({3: torch.ones(2)}, {"a.weight": torch.eye(2).to_sparse()}):
        torch.save(TENSORS | odd, tmp_path / "b.pt")
        assert f"dense tensors: {next(iter(odd))};" in refused(tmp_path / "b.pt")
